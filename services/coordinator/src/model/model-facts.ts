import type { ActivationTypeName, KvTypeName, ServedModel } from "@rhone/common";
import type { ModelWeights } from "@rhone/planner";
import type { WeightsFile } from "@rhone/weights";
import type { PieceTable } from "../text/piece-table.js";

/** Everything that the coordinator knows about the served model; no tensors. */
export interface ModelFacts {
  readonly served: ServedModel;
  readonly weights: ModelWeights;
  /** Where the tensors are, for workers that fetch them, and `fileStamp`'s stamp; null: on another machine. */
  readonly file: (WeightsFile & { readonly stamp: string }) | null;
  /** host:port of the process that has the tensors; "": this one. */
  readonly origin: string;
  /** Bytes of one page of K and V in one layer. */
  readonly pageBytes: (kvType: KvTypeName, pageSize: number) => number;
  /** Bytes of one row of activations between stages. */
  readonly activationBytes: (type: ActivationTypeName) => number;
  readonly endTokens: ReadonlySet<number>;
  readonly pieces: PieceTable;
}
