import type { KvTypeName, ServedModel } from "@rhone/common";
import type { ModelWeights } from "@rhone/planner";
import type { PieceTable } from "../text/piece-table.js";

/** Everything that the coordinator knows about the served model; no tensors. */
export interface ModelFacts {
  readonly served: ServedModel;
  readonly weights: ModelWeights;
  /** Bytes of one page of K and V in one layer. */
  readonly pageBytes: (kvType: KvTypeName, pageSize: number) => number;
  readonly endTokens: ReadonlySet<number>;
  readonly pieces: PieceTable;
}
