import { type Logger, RhoneError, toRhoneError } from "@rhone/common";
import type { ModelPlan, ModelWeights, StagePlan } from "@rhone/planner";
import { type Calibrations, isDue } from "../workers/calibrations.js";
import type { Member } from "../workers/member.js";
import type { ShardLoads, ShardSpec } from "../workers/shard-loads.js";
import type { WorkerRegistry } from "../workers/worker-registry.js";
import type { Epoch } from "./epoch.js";
import { samePlan } from "./plan-pipeline.js";

export interface HandoverOptions {
  /** What would be planned now; null: nothing can be. Throws NOT_ENOUGH_MEMORY and INVALID_CONFIG. */
  readonly plan: () => ModelPlan | null;
  readonly workersNeeded: number;
  readonly weights: ModelWeights;
  readonly registry: Pick<WorkerRegistry, "get" | "members">;
  readonly loads: ShardLoads;
  readonly calibrations: Calibrations;
  readonly shardSpec: (stage: StagePlan, pages: number) => ShardSpec;
  readonly logger: Logger;
}

interface Placed {
  readonly stage: StagePlan;
  readonly member: Member;
  readonly spec: ShardSpec;
}

/** Plans that differ each time are given up: the last one is brought up by loads that requests wait for. */
const MOST_PLANS = 5;

/** Has the workers of the next plan load their layers while those of this epoch serve. */
export class Handover {
  readonly #options: HandoverOptions;

  constructor(options: HandoverOptions) {
    this.#options = options;
  }

  /**
   * Resolves when the workers of the next plan hold their layers, newcomers timed. One of this epoch without memory for
   * two shards loads its next one when the epoch is over. Throws what the plan throws, NO_PIPELINE without one, what a
   * newcomer's load throws, and the signal's reason; then no worker holds more than before.
   */
  async prepare(epoch: Epoch, signal: AbortSignal): Promise<void> {
    const { plan } = this.#options;
    for (let plans = 1; ; plans++) {
      const next = this.next();
      await this.#load(next, epoch, signal);
      const now = plan();
      if (plans === MOST_PLANS || (now !== null && samePlan(now, next))) return;
    }
  }

  /** What would be planned now. Throws what the plan throws, and NO_PIPELINE without one. */
  next(): ModelPlan {
    return this.#options.plan() ?? this.#refuse();
  }

  #refuse(): never {
    const { registry, workersNeeded } = this.#options;
    const left = registry.members.filter(({ isCandidate }) => isCandidate).length;
    const needed = `${workersNeeded} ${workersNeeded === 1 ? "worker" : "workers"}`;
    const problem = `The pipeline needs ${needed}, and without those that leave it has ${left}`;
    throw new RhoneError("NO_PIPELINE", `${problem}. Let another worker join first.`);
  }

  async #load(plan: ModelPlan, epoch: Epoch, over: AbortSignal): Promise<void> {
    const { registry, loads, calibrations, shardSpec, logger } = this.#options;
    const attempt = new AbortController();
    const signal = AbortSignal.any([over, attempt.signal]);
    const placed = plan.stages.flatMap((stage): Placed[] => {
      const member = registry.get(stage.worker);
      return member === undefined ? [] : [{ stage, member, spec: shardSpec(stage, plan.pages) }];
    });
    const staying = placed.filter(({ member }) => epoch.includes(member));
    const newcomers = placed.filter(({ member }) => !epoch.includes(member));
    logger.info({ epoch: epoch.number, stages: plan.stages }, "the next plan's workers load their layers");
    for (const { stage, member } of newcomers) member.coming = stage;
    try {
      await Promise.all([
        ...newcomers.map(({ member, spec }) => loads.load(member, spec, signal)),
        ...staying.map((each) => this.#loadBeside(each, signal)),
      ]);
      // Those that serve can't be timed: their pages are in use. What they measured counts for others of their kind.
      const known = staying.map(({ member }) => member).filter((member) => !isDue(member));
      await calibrations.complete([...known, ...newcomers.map(({ member }) => member)], signal);
    } catch (error) {
      attempt.abort(error);
      for (const { stage, member } of newcomers) if (member.coming === stage) member.coming = null;
      // When the epoch is over, they may still be what the next one needs.
      if (!epoch.signal.aborted) for (const { member } of staying) loads.releaseBeside(member);
      throw error;
    }
  }

  async #loadBeside({ stage, member, spec }: Placed, signal: AbortSignal): Promise<void> {
    const { loads, weights, logger } = this.#options;
    if (loads.holds(member, spec)) return;
    const { worker } = member;
    if (!member.hasRoomBeside(stage, weights)) {
      logger.info({ worker, weightBytes: stage.weightBytes }, "no memory for two shards: it loads the next one later");
      return;
    }
    try {
      await loads.loadBeside(member, spec, signal);
    } catch (error) {
      signal.throwIfAborted();
      logger.warn({ worker, reason: toRhoneError(error).message }, "it loads its next shard later");
    }
  }
}
