import { ERROR_TABLE, type ErrorCode, type ErrorRow } from "./error-table.js";

export interface RhoneErrorOptions {
  readonly cause?: unknown;
  /** The request field at fault, for HTTP clients. */
  readonly param?: string;
}

/**
 * The one error class. `message` says what happened, with the numbers, and what to do next; the code's row in
 * ERROR_TABLE says how the error crosses HTTP and gRPC.
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

const NO_ROOM: ReadonlySet<unknown> = new Set(["ENOSPC", "EDQUOT"]);

/**
 * A RhoneError as it is; DISK_FULL for what the system says of a full disk; any other error as an opaque INTERNAL, with
 * the original as `cause` for the log.
 */
export function toRhoneError(error: unknown): RhoneError {
  if (error instanceof RhoneError) return error;
  if (error instanceof Error && "code" in error && NO_ROOM.has(error.code)) {
    return new RhoneError("DISK_FULL", "A disk is full; free some space on it, and try again.", { cause: error });
  }
  return new RhoneError("INTERNAL", "An internal error occurred; the service's log has the details.", { cause: error });
}
