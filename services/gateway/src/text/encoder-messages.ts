import type { ErrorCode } from "@rhone/common";
import type { Source } from "./encoder.js";

/** One is answered before the next is sent. */
export interface EncodeRequest {
  readonly source: Source;
  /** How many ids of each list are wanted, from its end; undefined: all. */
  readonly last: number | undefined;
}

/** Frees the vocabulary, whose memory outlives the thread, and ends the thread. */
export const CLOSE = "close";

export type EncodeAnswer =
  /** The vocabulary is read, and requests are taken. */
  | { readonly kind: "ready" }
  | { readonly kind: "encoded"; readonly ids: readonly Int32Array[] }
  | {
      readonly kind: "refused";
      readonly code: ErrorCode;
      readonly message: string;
      readonly param: string | undefined;
    };
