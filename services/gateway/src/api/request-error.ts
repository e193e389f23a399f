import { type ErrorCode, RhoneError } from "@rhone/common";

interface RequestErrorOptions {
  readonly param?: string;
  /** What HTTP clients see as `code`, where the error's own name is too coarse. */
  readonly apiCode?: string;
  /** More fields of the error body. */
  readonly details?: Readonly<Record<string, number | string>>;
}

/** A refusal whose HTTP body says more than its code does. */
export class RequestError extends RhoneError {
  readonly apiCode: string | undefined;
  readonly details: Readonly<Record<string, number | string>>;

  constructor(code: ErrorCode, message: string, { param, apiCode, details = {} }: RequestErrorOptions = {}) {
    super(code, message, param === undefined ? {} : { param });
    this.apiCode = apiCode;
    this.details = details;
  }
}

export const unsupported = (param: string, message: string): RequestError =>
  new RequestError("INVALID_REQUEST", message, { param, apiCode: "unsupported_parameter" });
