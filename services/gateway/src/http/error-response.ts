import { type ErrorCode, RhoneError, toRhoneError } from "@rhone/common";
import { completionsDialect, type Dialect, messagesDialect } from "../answers/dialect.js";
import { RequestError } from "../request-error.js";

/** Retry-After of a retryable failure. */
const RETRY_AFTER_S = 2;

const FASTIFY_CODES: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_INVALID_JSON_BODY: "INVALID_JSON",
  FST_ERR_CTP_EMPTY_JSON_BODY: "INVALID_JSON",
  FST_ERR_CTP_INVALID_MEDIA_TYPE: "UNSUPPORTED_MEDIA_TYPE",
  FST_ERR_CTP_BODY_TOO_LARGE: "BODY_TOO_LARGE",
  FST_ERR_MAX_PARAM_LENGTH: "NOT_FOUND",
  FST_REQ_FILE_TOO_LARGE: "BODY_TOO_LARGE",
  FST_INVALID_MULTIPART_CONTENT_TYPE: "UNSUPPORTED_MEDIA_TYPE",
};

/** What to do, for refusals whose own text says neither that nor a limit. */
const MESSAGES: Readonly<Record<string, string>> = {
  FST_ERR_CTP_INVALID_JSON_BODY: "The body is not valid JSON; check its quotes, commas and brackets.",
  FST_ERR_CTP_EMPTY_JSON_BODY: "The body is empty; send a JSON object.",
  FST_ERR_CTP_INVALID_MEDIA_TYPE:
    "The body's content type is not supported; send content-type: application/json (multipart/form-data for a file).",
};

/** Translates Fastify's errors about a request of at most `bodyLimit` bytes; others become INTERNAL. */
export function toRequestError(error: unknown, bodyLimit: number): RhoneError {
  if (error instanceof RhoneError) return error;
  if (error instanceof SyntaxError && "statusCode" in error && error.statusCode === 400)
    return new RhoneError("INVALID_JSON", `The body is not valid JSON: ${error.message}`, { cause: error });
  const code = codeOf(error);
  if (code === undefined) return toRhoneError(error);
  const { code: theirs = "", message } = error as Error & { readonly code?: string };
  const text = theirs === "FST_ERR_CTP_BODY_TOO_LARGE" ? tooLarge(bodyLimit) : (MESSAGES[theirs] ?? message);
  return new RhoneError(code, text, { cause: error });
}

const MESSAGES_PATH = /^\/v1\/messages(?:[/?]|$)/;

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
