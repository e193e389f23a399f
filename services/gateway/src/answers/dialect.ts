import type { RhoneError } from "@rhone/common";
import { errorBody, errorMessage } from "../request-error.js";

/** How an API frames the events of its streams, and tells a failure. */
export interface Dialect {
  /** A chunk as a server-sent event without an id. `json` has no line breaks. */
  readonly event: (json: string) => string;
  /** What ends a stream behind its last chunk; "" = nothing. */
  readonly done: string;
  /** The body of a failure, in HTTP answers and in streams. `requestId`: the HTTP request's. */
  readonly errorBody: (error: RhoneError, requestId: string) => object;
}

/** Chats and completions, OpenAI's and Mistral's. */
export const completionsDialect: Dialect = {
  event: (json) => `data: ${json}\n\n`,
  done: "data: [DONE]\n\n",
  errorBody,
};

/** OpenAI's Responses: each event is named. Their writer tells a failure in the stream itself. */
export const responsesDialect: Dialect = { event: namedEvent, done: "", errorBody };

/** Anthropic's Messages. */
export const messagesDialect: Dialect = { event: namedEvent, done: "", errorBody: messagesError };

/** An event has the name that its `type` says. Throws RangeError for a chunk that does not begin with its type. */
function namedEvent(json: string): string {
  const [, name] = /^\{"type":"([\w.]+)"/.exec(json) ?? [];
  if (name === undefined) throw new RangeError(`A chunk begins with ${json.slice(0, 20)} instead of its type`);
  return `event: ${name}\ndata: ${json}\n\n`;
}

function messagesError(error: RhoneError, requestId: string) {
  return { type: "error", error: { type: messagesType(error), message: errorMessage(error) }, request_id: requestId };
}

/** Anthropic's type of an error for each HTTP status that has one of its own. */
const TYPES: Readonly<Record<number, string>> = {
  401: "authentication_error",
  404: "not_found_error",
  413: "request_too_large",
  429: "rate_limit_error",
  503: "overloaded_error",
  504: "timeout_error",
};

const messagesType = ({ row: { http } }: RhoneError): string =>
  TYPES[http] ?? (http < 500 ? "invalid_request_error" : "api_error");
