import type { ErrorCode } from "@rhone/common";
import type { Source } from "./encoder.js";

export interface EncodeRequest {
  readonly id: number;
  readonly source: Source;
  /** How many ids of each list are wanted, from its end; undefined: all. */
  readonly last: number | undefined;
}

export type EncodeAnswer =
  /** The vocabulary is read, and requests are taken. */
  | { readonly kind: "ready" }
  | { readonly kind: "encoded"; readonly id: number; readonly ids: readonly Int32Array[] }
  | {
      readonly kind: "refused";
      readonly id: number;
      readonly code: ErrorCode;
      readonly message: string;
      readonly param: string | undefined;
    };
