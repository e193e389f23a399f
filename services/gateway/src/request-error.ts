import { type ErrorCode, RhoneError } from "@rhone/common";

interface RequestErrorOptions {
  readonly param?: string;
  /** What HTTP clients see as `code`, where the error's own name is too coarse. */
  readonly apiCode?: string;
  /** More fields of the error body. */
  readonly details?: Readonly<Record<string, number | string>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A refusal whose HTTP body says more than its code does. */
export class RequestError extends RhoneError {
  readonly apiCode: string | undefined;
  readonly details: Readonly<Record<string, number | string>>;
  /** Of the answer; they stand for those that the code alone would give. */
  readonly headers: Readonly<Record<string, string>> | undefined;

  constructor(code: ErrorCode, message: string, { param, apiCode, details = {}, headers }: RequestErrorOptions = {}) {
    super(code, message, param === undefined ? {} : { param });
    this.apiCode = apiCode;
    this.details = details;
    this.headers = headers;
  }
}

export const unsupported = (param: string, message: string): RequestError =>
  new RequestError("INVALID_REQUEST", message, { param, apiCode: "unsupported_parameter" });
