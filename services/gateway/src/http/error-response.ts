import { type ErrorCode, RhoneError, toRhoneError } from "@rhone/common";
import type { FastifyRequest } from "fastify";
import { completionsDialect, type Dialect, messagesDialect } from "../answers/dialect.js";
import { cut, RequestError } from "../request-error.js";

/** Retry-After of a retryable failure. */
const RETRY_AFTER_S = 2;

const FASTIFY_CODES: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: "UNSUPPORTED_MEDIA_TYPE",
  FST_ERR_CTP_BODY_TOO_LARGE: "BODY_TOO_LARGE",
  FST_ERR_MAX_PARAM_LENGTH: "NOT_FOUND",
  FST_REQ_FILE_TOO_LARGE: "BODY_TOO_LARGE",
  FST_INVALID_MULTIPART_CONTENT_TYPE: "UNSUPPORTED_MEDIA_TYPE",
};

type Refused = Pick<FastifyRequest, "headers" | "routeOptions">;

/** What to do, for refusals whose own text does not say that. */
const MESSAGES: Readonly<Record<string, (request: Refused) => string>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: foreignType,
  FST_INVALID_MULTIPART_CONTENT_TYPE: foreignType,
  FST_ERR_MAX_PARAM_LENGTH: () => "The path has an id of more than 100 characters, which no endpoint gives out.",
  FST_ERR_BAD_URL: () => "The path is not percent-encoded UTF-8; encode it, and write a % of its own as %25.",
  FST_ERR_CTP_BODY_TOO_LARGE: ({ routeOptions: { bodyLimit } }) => tooLarge(bodyLimit ?? 0),
};

/** Translates Fastify's errors about a request; others become INTERNAL. */
export function toRequestError(error: unknown, request: Refused): RhoneError {
  if (error instanceof RhoneError) return error;
  if (error instanceof SyntaxError && "statusCode" in error && error.statusCode === 400)
    return new RhoneError("INVALID_JSON", `The body is not valid JSON: ${error.message}`, { cause: error });
  const code = codeOf(error);
  if (code === undefined) return toRhoneError(error);
  const { code: theirs = "", message } = error as Error & { readonly code?: string };
  const text = MESSAGES[theirs]?.(request) ?? message;
  return new RhoneError(code, text, { cause: error });
}

/** Characters of a header that a refusal repeats. */
const LONGEST_TYPE = 100;

function foreignType({ headers: { "content-type": type } }: Refused): string {
  const found = type === undefined ? "has no content-type" : `has the content-type ${cut(type, LONGEST_TYPE)}`;
  return `The body ${found}; send content-type: application/json (multipart/form-data for a file).`;
}

const MESSAGES_PATH = /^\/+v1\/+messages(?:[/?]|$)/;

/** How a request's failures are told: by its path, as many fail before they have a route. */
export const dialectOf = (url: string): Dialect => (MESSAGES_PATH.test(url) ? messagesDialect : completionsDialect);

const tooLarge = (bytes: number): string =>
  `The body has more than ${bytes} bytes, the gateway's limit; send less, or raise the limit with --body-limit-bytes ` +
  "(RHONE_BODY_LIMIT_BYTES).";

/** Fastify's other refusals are bad requests too. A body that breaks off means that the client left. */
function codeOf(error: unknown): ErrorCode | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code = "", statusCode = 500 } = error as Error & { readonly code?: string; readonly statusCode?: number };
  if (code === "ECONNRESET" && error.message === "aborted") return "CANCELLED";
  const isRefusal = code.startsWith("FST_") && statusCode >= 400 && statusCode < 500;
  return FASTIFY_CODES[code] ?? (isRefusal ? "INVALID_REQUEST" : undefined);
}

export function errorHeaders(error: RhoneError): Readonly<Record<string, string>> {
  if (error instanceof RequestError && error.headers !== undefined) return error.headers;
  const { row } = error;
  return row.retryable && (row.http === 429 || row.http === 503) ? { "retry-after": String(RETRY_AFTER_S) } : {};
}
