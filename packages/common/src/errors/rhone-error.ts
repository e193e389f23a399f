import { ERROR_TABLE, type ErrorCode, type ErrorRow } from "./error-table.js";

export interface RhoneErrorOptions {
  readonly cause?: unknown;
  /** The request field at fault, for HTTP clients. */
  readonly param?: string;
}

/**
 * The one error class. `message` names what went wrong with its numbers and says what to do next;
 * the code's row in ERROR_TABLE says how it travels.
 */
export class RhoneError extends Error {
  override readonly name = "RhoneError";
  readonly code: ErrorCode;
  readonly param: string | undefined;

  constructor(code: ErrorCode, message: string, options: RhoneErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.param = options.param;
  }

  get row(): ErrorRow {
    return ERROR_TABLE[this.code];
  }
}

/** `error` itself when it is named; an opaque INTERNAL otherwise, with the original kept as `cause` for the log. */
export function toRhoneError(error: unknown): RhoneError {
  if (error instanceof RhoneError) return error;
  return new RhoneError("INTERNAL", "An internal error occurred; the service's log has the details.", { cause: error });
}
