import { type ErrorCode, RhoneError, toRhoneError } from "@rhone/common";
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

/** Translates Fastify's errors about a request; an unknown error becomes an opaque INTERNAL. */
export function toRequestError(error: unknown): RhoneError {
  if (error instanceof RhoneError) return error;
  if (error instanceof SyntaxError && "statusCode" in error && error.statusCode === 400) return invalidJson(error);
  const code = codeOf(error);
  if (code === "INVALID_JSON") return invalidJson(error as Error);
  if (code !== undefined) return new RhoneError(code, (error as Error).message, { cause: error });
  return toRhoneError(error);
}

/** Fastify's other refusals are bad requests too. A body that breaks off means that the client left. */
function codeOf(error: unknown): ErrorCode | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code = "", statusCode = 500 } = error as Error & { readonly code?: string; readonly statusCode?: number };
  if (code === "ECONNRESET" && error.message === "aborted") return "CANCELLED";
  const isRefusal = code.startsWith("FST_") && statusCode >= 400 && statusCode < 500;
  return FASTIFY_CODES[code] ?? (isRefusal ? "INVALID_REQUEST" : undefined);
}

const invalidJson = (error: Error): RhoneError =>
  new RhoneError("INVALID_JSON", `The body is not JSON: ${error.message}`, { cause: error });

export function errorHeaders(error: RhoneError): Readonly<Record<string, string>> {
  if (error instanceof RequestError && error.headers !== undefined) return error.headers;
  const { row } = error;
  return row.retryable && (row.http === 429 || row.http === 503) ? { "retry-after": String(RETRY_AFTER_S) } : {};
}
