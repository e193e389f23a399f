import type { Pipeline } from "../pipeline/pipeline.js";
import type { WorkerRegistry } from "../workers/worker-registry.js";

export interface StandingSources {
  readonly pipeline: Pick<Pipeline, "state" | "reason">;
  readonly registry: Pick<WorkerRegistry, "members">;
  /** Name. */
  readonly model: string;
}

/** Tells every worker how the pipeline fares and which layers it has, for the person who let it join. */
export function tellStanding({ pipeline, registry, model }: StandingSources): void {
  const { members } = registry;
  const { state, reason } = pipeline;
  for (const member of members) {
    const { first = 0, last = 0 } = member.shard ?? {};
    const layers = { firstLayer: first, lastLayer: last, drained: member.drain === "drained" };
    member.send({ standing: { state, reason: reason ?? "", model, workers: members.length, ...layers } });
  }
}
