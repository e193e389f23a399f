import { type ErrorCode, RhoneError, toRhoneError } from "@rhone/common";
import { RequestError } from "./request-error.js";

/** Seconds after which a retryable failure may be tried again. */
const RETRY_AFTER_S = 2;

/** Names that clients know from other servers; every other code is its own in lower case. */
const API_CODES: Partial<Record<ErrorCode, string>> = { INVALID_REQUEST: "invalid_value", INTERNAL: "internal_error" };

const FASTIFY_CODES: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_INVALID_JSON_BODY: "INVALID_JSON",
  FST_ERR_CTP_EMPTY_JSON_BODY: "INVALID_JSON",
  FST_ERR_CTP_INVALID_MEDIA_TYPE: "UNSUPPORTED_MEDIA_TYPE",
  FST_ERR_CTP_BODY_TOO_LARGE: "BODY_TOO_LARGE",
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: "INVALID_REQUEST",
  FST_ERR_BAD_URL: "INVALID_REQUEST",
  FST_REQ_FILE_TOO_LARGE: "BODY_TOO_LARGE",
  FST_FILES_LIMIT: "INVALID_REQUEST",
  FST_FIELDS_LIMIT: "INVALID_REQUEST",
  FST_PARTS_LIMIT: "INVALID_REQUEST",
  FST_PROTO_VIOLATION: "INVALID_REQUEST",
  FST_INVALID_MULTIPART_CONTENT_TYPE: "UNSUPPORTED_MEDIA_TYPE",
};

/** Fastify's complaints about a request in our words; anything unknown becomes an opaque INTERNAL. */
export function toRequestError(error: unknown): RhoneError {
  if (error instanceof RhoneError) return error;
  if (error instanceof SyntaxError && "statusCode" in error && error.statusCode === 400) return invalidJson(error);
  const code = error instanceof Error && "code" in error ? FASTIFY_CODES[String(error.code)] : undefined;
  if (code === "INVALID_JSON") return invalidJson(error as Error);
  if (code !== undefined) return new RhoneError(code, (error as Error).message, { cause: error });
  return toRhoneError(error);
}

const invalidJson = (error: Error): RhoneError =>
  new RhoneError("INVALID_JSON", `The body is not JSON: ${error.message}`, { cause: error });

/** The body of a failure: the fields at the top for Mistral's clients, the same under `error` for OpenAI's. */
export function errorBody(error: RhoneError) {
  const extra = error instanceof RequestError ? error.details : {};
  const fields = {
    message: error.message,
    type: error.row.type,
    param: error.param ?? null,
    code: apiCode(error),
    ...extra,
  };
  return { object: "error", ...fields, error: fields };
}

export function errorHeaders(error: RhoneError): Readonly<Record<string, string>> {
  if (error instanceof RequestError && error.headers !== undefined) return error.headers;
  const { row } = error;
  return row.retryable && (row.http === 429 || row.http === 503) ? { "retry-after": String(RETRY_AFTER_S) } : {};
}

function apiCode(error: RhoneError): string {
  const own = error instanceof RequestError ? error.apiCode : undefined;
  return own ?? API_CODES[error.code] ?? error.code.toLowerCase();
}
