import { type KvTypeName, RhoneError } from "@rhone/common";
import type { KvShape, StagePlan } from "@rhone/planner";
import { rhone } from "@rhone/proto";
import type { ModelFacts } from "../model/model-facts.js";

import type { ShardSpec } from "./shard-loads.js";

const KV_TYPES: Readonly<Record<KvTypeName, rhone.v1.KvType>> = {
  f16: rhone.v1.KvType.KV_F16,
  f32: rhone.v1.KvType.KV_F32,
  q8_0: rhone.v1.KvType.KV_Q8_0,
};

/** What a worker is told to load for its place in the plan. */
export function shardSpec(
  stage: StagePlan,
  pages: number,
  context: { readonly model: ModelFacts; readonly kvType: KvTypeName; readonly shape: KvShape },
): ShardSpec {
  const { served } = context.model;
  if (stage.last <= stage.first) throw new RhoneError("INTERNAL", `Stage ${stage.stage} was planned without layers`);
  return {
    model: { name: served.name, path: served.path, fingerprint: served.fingerprint },
    firstLayer: stage.first,
    lastLayer: stage.last,
    embeds: stage.embeds,
    heads: stage.heads,
    pages,
    pageSize: context.shape.pageSize,
    kvType: KV_TYPES[context.kvType],
    slidingWindow: context.shape.slidingWindow,
    maxRows: context.shape.maxRows,
  };
}
