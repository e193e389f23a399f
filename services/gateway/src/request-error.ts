import { type ErrorCode, RhoneError } from "@rhone/common";

interface RequestErrorOptions {
  readonly param?: string;
  /** `code` for HTTP clients, where the error's own code is too coarse. */
  readonly apiCode?: string;
  /** More fields of the error body. */
  readonly details?: Readonly<Record<string, number | string>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A refusal whose HTTP answer says more than its code. */
export class RequestError extends RhoneError {
  readonly apiCode: string | undefined;
  readonly details: Readonly<Record<string, number | string>>;
  /** Headers of the answer, instead of those that follow from the code. */
  readonly headers: Readonly<Record<string, string>> | undefined;

  constructor(code: ErrorCode, message: string, { param, apiCode, details = {}, headers }: RequestErrorOptions = {}) {
    super(code, message, param === undefined ? {} : { param });
    this.apiCode = apiCode;
    this.details = details;
    this.headers = headers;
  }
}

/** Throws INVALID_REQUEST about a field: `problem` follows its name in the message. */
export function refuseParam(param: string, problem: string): never {
  throw new RequestError("INVALID_REQUEST", `${param}${problem}`, { param });
}

/** An INVALID_REQUEST whose `code` is `unsupported_parameter`. */
export const unsupported = (param: string, message: string): RequestError =>
  new RequestError("INVALID_REQUEST", message, { param, apiCode: "unsupported_parameter" });

/** Codes that clients know from other servers. Every other code is sent in lower case. */
const API_CODES: Partial<Record<ErrorCode, string>> = { INVALID_REQUEST: "invalid_value", INTERNAL: "internal_error" };

/** Characters of a message that are sent: some repeat what the client sent. */
const LONGEST_MESSAGE = 2000;

/** The beginning of a text that a client sent, for a message that repeats it. */
export const cut = (text: string, most: number): string => (text.length > most ? `${text.slice(0, most)}…` : text);

/** A failure's message, as clients get it. */
export const errorMessage = ({ message }: RhoneError): string => cut(message, LONGEST_MESSAGE);

/** The body of a failure: its fields at the top for Mistral's clients, and again under `error` for OpenAI's. */
export function errorBody(error: RhoneError) {
  const extra = error instanceof RequestError ? error.details : {};
  const fields = {
    message: errorMessage(error),
    type: error.row.type,
    param: error.param ?? null,
    code: apiCode(error),
    ...extra,
  };
  return { object: "error", ...fields, error: fields };
}

function apiCode(error: RhoneError): string {
  const own = error instanceof RequestError ? error.apiCode : undefined;
  return own ?? API_CODES[error.code] ?? error.code.toLowerCase();
}
