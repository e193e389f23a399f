import type { ErrorCode } from "../errors/error-table.js";

/** What a compute thread is started with. */
export interface ThreadStart {
  /** What its `open` gets. */
  readonly data: unknown;
}

/** To a compute thread, which obeys in order. */
export type ToThread<Message> =
  | { readonly kind: "tell" | "ask"; readonly message: Message }
  /** Frees what it has and ends. */
  | { readonly kind: "rest" };

export type FromThread<Answer> =
  /** It is open. `place`: as placeOfThread has it. */
  | { readonly kind: "open"; readonly place: string | undefined }
  | { readonly kind: "answered"; readonly answer: Answer }
  /** `isOver`: the thread can't be used any more. */
  | {
      readonly kind: "refused";
      readonly code: ErrorCode;
      readonly message: string;
      readonly param: string | undefined;
      readonly isOver: boolean;
    };
