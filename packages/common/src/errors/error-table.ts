// The numbers alone: the whole package takes a thread 5 MB and 60 ms.
import { Status as grpcStatus } from "@grpc/grpc-js/build/src/constants.js";

/** How an error crosses processes. `http` and `grpc` are used only at the edges that speak those protocols. */
export interface ErrorRow {
  /** `error.type` in answers to HTTP clients. */
  readonly type:
    | "invalid_request_error"
    | "authentication_error"
    | "rate_limit_error"
    | "unavailable_error"
    | "timeout_error"
    | "server_error";
  readonly http: number;
  readonly grpc: grpcStatus;
  /** Whether the same call, unchanged, may succeed later. */
  readonly retryable: boolean;
}

const row = (type: ErrorRow["type"], http: number, grpc: grpcStatus): ErrorRow => ({
  type,
  http,
  grpc,
  retryable: false,
});

const retryable = (final: ErrorRow): ErrorRow => ({ ...final, retryable: true });

/** Every error code. docs/errors.md explains each; a test compares the two. */
export const ERROR_TABLE = {
  // What the caller sent.
  INVALID_REQUEST: row("invalid_request_error", 400, grpcStatus.INVALID_ARGUMENT),
  UNSUPPORTED_PARAMETER: row("invalid_request_error", 400, grpcStatus.INVALID_ARGUMENT),
  INVALID_JSON: row("invalid_request_error", 400, grpcStatus.INVALID_ARGUMENT),
  CONTEXT_LENGTH_EXCEEDED: row("invalid_request_error", 400, grpcStatus.INVALID_ARGUMENT),
  CHAT_TEMPLATE_FAILED: row("invalid_request_error", 400, grpcStatus.INVALID_ARGUMENT),
  TEXT_TOO_COSTLY: row("invalid_request_error", 400, grpcStatus.INVALID_ARGUMENT),
  GRAMMAR_TOO_COSTLY: row("invalid_request_error", 400, grpcStatus.INVALID_ARGUMENT),
  INVALID_API_KEY: row("authentication_error", 401, grpcStatus.UNAUTHENTICATED),
  RATE_LIMIT_EXCEEDED: retryable(row("rate_limit_error", 429, grpcStatus.RESOURCE_EXHAUSTED)),
  IDEMPOTENCY_KEY_IN_USE: retryable(row("invalid_request_error", 409, grpcStatus.ABORTED)),
  IDEMPOTENCY_KEY_REUSED: row("invalid_request_error", 422, grpcStatus.INVALID_ARGUMENT),
  MODEL_NOT_FOUND: row("invalid_request_error", 404, grpcStatus.NOT_FOUND),
  NOT_FOUND: row("invalid_request_error", 404, grpcStatus.NOT_FOUND),
  METHOD_NOT_ALLOWED: row("invalid_request_error", 405, grpcStatus.UNIMPLEMENTED),
  REQUEST_TIMEOUT: retryable(row("invalid_request_error", 408, grpcStatus.DEADLINE_EXCEEDED)),
  BODY_TOO_LARGE: row("invalid_request_error", 413, grpcStatus.INVALID_ARGUMENT),
  FILE_LIMIT_EXCEEDED: row("invalid_request_error", 400, grpcStatus.RESOURCE_EXHAUSTED),
  BATCH_LIMIT_EXCEEDED: retryable(row("rate_limit_error", 429, grpcStatus.RESOURCE_EXHAUSTED)),
  UNSUPPORTED_MEDIA_TYPE: row("invalid_request_error", 415, grpcStatus.INVALID_ARGUMENT),
  INVALID_CONFIG: row("invalid_request_error", 400, grpcStatus.INVALID_ARGUMENT),
  PORT_IN_USE: row("invalid_request_error", 400, grpcStatus.FAILED_PRECONDITION),
  ALREADY_RUNNING: row("invalid_request_error", 400, grpcStatus.ALREADY_EXISTS),
  NOT_RUNNING: row("invalid_request_error", 400, grpcStatus.FAILED_PRECONDITION),

  // Model files.
  GGUF_MALFORMED: row("server_error", 500, grpcStatus.DATA_LOSS),
  GGUF_TRUNCATED: row("server_error", 500, grpcStatus.DATA_LOSS),
  MODEL_UNSUPPORTED: row("server_error", 500, grpcStatus.UNIMPLEMENTED),
  TENSOR_MISSING: row("server_error", 500, grpcStatus.DATA_LOSS),
  TENSOR_UNEXPECTED: row("server_error", 500, grpcStatus.DATA_LOSS),
  TENSOR_TYPE_UNSUPPORTED: row("server_error", 500, grpcStatus.UNIMPLEMENTED),
  TOKENIZER_UNSUPPORTED: row("server_error", 500, grpcStatus.UNIMPLEMENTED),
  CHECKPOINT_MALFORMED: row("server_error", 500, grpcStatus.DATA_LOSS),
  DOWNLOAD_FAILED: retryable(row("server_error", 502, grpcStatus.UNAVAILABLE)),
  CHECKSUM_MISMATCH: row("server_error", 502, grpcStatus.DATA_LOSS),
  DISK_FULL: row("server_error", 507, grpcStatus.RESOURCE_EXHAUSTED),
  STORAGE_UNAVAILABLE: retryable(row("unavailable_error", 503, grpcStatus.UNAVAILABLE)),

  // The native engine.
  GGML_LIBRARY_MISSING: row("server_error", 500, grpcStatus.FAILED_PRECONDITION),
  GGML_VERSION_MISMATCH: row("server_error", 500, grpcStatus.FAILED_PRECONDITION),
  GGML_FAILED: row("server_error", 500, grpcStatus.INTERNAL),
  KERNELS_UNAVAILABLE: row("server_error", 500, grpcStatus.FAILED_PRECONDITION),
  DEVICE_NOT_FOUND: row("server_error", 500, grpcStatus.NOT_FOUND),
  OUT_OF_MEMORY: row("server_error", 500, grpcStatus.RESOURCE_EXHAUSTED),

  // The cluster.
  FORBIDDEN_PEER: row("authentication_error", 403, grpcStatus.PERMISSION_DENIED),
  KV_FULL: retryable(row("unavailable_error", 503, grpcStatus.RESOURCE_EXHAUSTED)),
  GATEWAY_BUSY: retryable(row("unavailable_error", 503, grpcStatus.UNAVAILABLE)),
  TOO_MANY_READERS: retryable(row("rate_limit_error", 429, grpcStatus.RESOURCE_EXHAUSTED)),
  LOGS_FULL: retryable(row("unavailable_error", 503, grpcStatus.RESOURCE_EXHAUSTED)),
  QUEUE_FULL: retryable(row("rate_limit_error", 429, grpcStatus.RESOURCE_EXHAUSTED)),
  TEXTS_BUSY: retryable(row("unavailable_error", 503, grpcStatus.UNAVAILABLE)),
  GRAMMARS_BUSY: retryable(row("unavailable_error", 503, grpcStatus.UNAVAILABLE)),
  NO_PIPELINE: retryable(row("unavailable_error", 503, grpcStatus.UNAVAILABLE)),
  LOADING_MODEL: retryable(row("unavailable_error", 503, grpcStatus.UNAVAILABLE)),
  NOT_ENOUGH_MEMORY: row("unavailable_error", 503, grpcStatus.RESOURCE_EXHAUSTED),
  WORKER_LOST: retryable(row("unavailable_error", 503, grpcStatus.UNAVAILABLE)),
  REQUEST_BREAKS_PIPELINE: row("server_error", 500, grpcStatus.INTERNAL),
  STAGE_FAILED: row("server_error", 500, grpcStatus.INTERNAL),
  MESSAGE_MALFORMED: row("server_error", 500, grpcStatus.INTERNAL),
  GENERATION_LOST: retryable(row("unavailable_error", 503, grpcStatus.UNAVAILABLE)),
  EPOCH_CHANGED: retryable(row("unavailable_error", 503, grpcStatus.ABORTED)),
  MODEL_MISMATCH: row("server_error", 500, grpcStatus.FAILED_PRECONDITION),
  REDIS_UNAVAILABLE: retryable(row("unavailable_error", 503, grpcStatus.UNAVAILABLE)),
  RECORD_UNREADABLE: retryable(row("unavailable_error", 503, grpcStatus.FAILED_PRECONDITION)),
  DEADLINE_EXCEEDED: retryable(row("timeout_error", 504, grpcStatus.DEADLINE_EXCEEDED)),
  CANCELLED: row("invalid_request_error", 499, grpcStatus.CANCELLED),
  SHUTTING_DOWN: retryable(row("unavailable_error", 503, grpcStatus.UNAVAILABLE)),

  // Joining a cluster.
  TOKEN_UNKNOWN: row("authentication_error", 401, grpcStatus.UNAUTHENTICATED),
  TOKEN_EXPIRED: row("authentication_error", 401, grpcStatus.UNAUTHENTICATED),
  TOKEN_USED_UP: row("authentication_error", 401, grpcStatus.UNAUTHENTICATED),
  TOKEN_REVOKED: row("authentication_error", 401, grpcStatus.UNAUTHENTICATED),
  CERTIFICATE_REFUSED: row("authentication_error", 403, grpcStatus.PERMISSION_DENIED),
  AUTHORITY_MISMATCH: row("authentication_error", 403, grpcStatus.FAILED_PRECONDITION),
  UNREACHABLE: retryable(row("unavailable_error", 503, grpcStatus.UNAVAILABLE)),

  // `rhone batch`.
  BATCH_FAILED: row("server_error", 500, grpcStatus.FAILED_PRECONDITION),
  BATCH_LINES_FAILED: row("server_error", 500, grpcStatus.FAILED_PRECONDITION),

  // `rhone bench`.
  MEASUREMENT_VOID: row("server_error", 500, grpcStatus.FAILED_PRECONDITION),

  // Ours.
  INTERNAL: row("server_error", 500, grpcStatus.INTERNAL),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERROR_TABLE;

export const isErrorCode = (value: string): value is ErrorCode => Object.hasOwn(ERROR_TABLE, value);

/** `text` if it is an error code; `otherwise` if not, for example because a peer of another version sent it. */
export const parseErrorCode = (text: string | null | undefined, otherwise: ErrorCode): ErrorCode =>
  text != null && isErrorCode(text) ? text : otherwise;
