import type { KvTypeName, ServedModel } from "@rhone/common";
import type { ModelWeights } from "@rhone/planner";
import type { PieceTable } from "../text/piece-table.js";

/** All that the coordinator knows of the model it serves. Not its tensors. */
export interface ModelFacts {
  readonly served: ServedModel;
  readonly weights: ModelWeights;
  /** Bytes of one page of K and V in one layer. */
  readonly pageBytes: (kvType: KvTypeName, pageSize: number) => number;
  readonly endTokens: ReadonlySet<number>;
  readonly pieces: PieceTable;
}
