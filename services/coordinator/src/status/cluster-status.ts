import type { ActivationTypeName, ClusterStatus, KvTypeName, ServedModel } from "@rhone/common";
import type { Engine } from "../engine/engine.js";
import type { Pipeline } from "../pipeline/pipeline.js";
import type { WorkerRegistry } from "../workers/worker-registry.js";

export interface StatusSources {
  readonly coordinator: string;
  /** host:port at which workers join. */
  readonly address: string;
  /** host:port of the HTTP server; empty until it listens. */
  readonly operations: () => string;
  readonly startedAtMs: number;
  readonly model: ServedModel;
  readonly simulated: boolean;
  readonly kvType: KvTypeName;
  readonly activationType: ActivationTypeName;
  /** Of one row. */
  readonly activationBytes: number;
  readonly pageSize: number;
  readonly maxSequences: number;
  readonly pipeline: Pick<Pipeline, "state" | "reason" | "epochNumber" | "detours">;
  readonly registry: Pick<WorkerRegistry, "members">;
  readonly engine: Pick<Engine, "counts" | "interrupted">;
}

const interruptedOf = ({ count, oldestAtMs }: Engine["interrupted"]) => ({
  interrupted: count,
  ...(oldestAtMs !== null && { oldestInterruptedAtMs: oldestAtMs }),
});

/** The coordinator's status at this moment. */
export function clusterStatus(sources: StatusSources): ClusterStatus {
  const { coordinator, address, startedAtMs, model, kvType, activationType, activationBytes } = sources;
  const { pipeline, registry, engine } = sources;
  const { pages, running, waiting, tokens, drafts, evictions, hopMs } = engine.counts;
  return {
    coordinator,
    address,
    operations: sources.operations(),
    updatedAtMs: Date.now(),
    startedAtMs,
    state: pipeline.state,
    reason: pipeline.reason,
    model,
    simulated: sources.simulated,
    epoch: pipeline.epochNumber,
    kvType,
    activationType,
    activationBytes,
    workers: registry.members.map((member) => member.status()),
    detours: pipeline.detours,
    hopMs,
    pages: { size: sources.pageSize, ...pages },
    sequences: { running, waiting, ...interruptedOf(engine.interrupted), limit: sources.maxSequences },
    tokens,
    drafts,
    evictions,
  };
}
