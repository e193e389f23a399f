import type { ErrorCode } from "@rhone/common";
import type { GrammarSource } from "../sources/grammar-source.js";
import type { PackedVocabulary } from "../threads/messages.js";

/** What the builder's thread is started with. */
export interface BuilderData {
  readonly vocabulary: PackedVocabulary;
  /** Most bytes of the engine's memory. */
  readonly memoryBytes: number;
}

export interface BuildRequest {
  readonly source: GrammarSource;
  /** Every text begins with a space, which the source does not know of. */
  readonly leadingSpace: boolean;
  /** false: write the grammar, which finds mistakes in its source, but do not try it out. Default: true. */
  readonly isTried?: boolean;
}

export type BuildAnswer =
  /** The engine is loaded, and requests are taken. `place`: as placeOfThread has it. */
  | { readonly kind: "loaded"; readonly place: string | undefined }
  | { readonly kind: "built"; readonly grammar: string }
  /** `isBroken`: the thread can't be used any more. */
  | {
      readonly kind: "refused";
      readonly code: ErrorCode;
      readonly message: string;
      readonly param: string | undefined;
      readonly isBroken: boolean;
    };
