import { type Logger, toRhoneError } from "@rhone/common";
import { type ModelPlan, planSpares, type SpareShards, type SparesRequest, takeOver } from "@rhone/planner";
import type { rhone } from "@rhone/proto";
import type { Member } from "../workers/member.js";
import type { ShardLoads } from "../workers/shard-loads.js";

export interface SparesSettings extends SparesRequest {
  /** Following stages whose weights each worker holds; 0: none. */
  readonly count: number;
  readonly modelRef: rhone.v1.ModelRef.$Properties;
}

export interface SpareStagesOptions {
  readonly settings: SparesSettings;
  readonly loads: ShardLoads;
  readonly logger: Logger;
}

/** Has workers hold the weights of the stages after their own, so that the others go on without a lost one. */
export class SpareStages {
  readonly #options: SpareStagesOptions;
  /** The last plan that was made for all workers. */
  #plan: ModelPlan | null = null;
  /** Told, by a coordinator without spares, to free those that they hold for the one before. */
  readonly #told = new WeakSet<Member>();

  constructor(options: SpareStagesOptions) {
    this.#options = options;
  }

  /**
   * A plan for the workers that are left of the last plan, which load nothing for it. Null: nobody is lost, or a layer
   * is not held where it would have to be.
   */
  takeOver(candidates: readonly Member[]): ModelPlan | null {
    const { settings } = this.#options;
    if (this.#plan === null || settings.count === 0) return null;
    const workers = new Set(this.#plan.stages.map(({ worker }) => worker));
    const left = candidates.filter(({ worker }) => workers.has(worker));
    return takeOver(this.#plan, new Map(left.map(({ worker, spares }) => [worker, spares])), settings);
  }

  /** Call it when the workers of a plan for all of them serve. Loads go on in the background; failures are logged. */
  begin(plan: ModelPlan, members: readonly Member[], over: AbortSignal): void {
    const { settings, logger } = this.#options;
    this.#plan = plan;
    for (const planned of planSpares(plan, settings.count, settings)) {
      const member = members.find(({ worker }) => worker === planned.worker);
      if (member === undefined || (settings.count === 0 && this.#told.has(member))) continue;
      this.#told.add(member);
      const { worker, lacking } = planned;
      member.lackingSpare = lacking;
      if (lacking !== null) logger.warn({ worker, ...lacking }, "no memory for a spare shard");
      void this.#hold(member, planned, { plan, over });
    }
  }

  async #hold(
    member: Member,
    { worker, stages }: SpareShards,
    { plan, over }: { readonly plan: ModelPlan; readonly over: AbortSignal },
  ): Promise<void> {
    const { settings, loads, logger } = this.#options;
    const own = plan.stages.filter((stage) => stage.worker === worker);
    const { modelRef: model } = settings;
    try {
      // It may hold some that this coordinator does not know of.
      if (stages.length === 0) await loads.holdSpares(member, { model, stages: [] }, over);
      // One after another: the nearest neighbour's is of use before the others are there.
      for (const [index, { stage }] of stages.entries()) {
        await loads.holdSpares(member, { model, stages: [...own, ...stages.slice(0, index + 1)] }, over);
        logger.info({ worker, stage }, "spare shard loaded");
      }
    } catch (error) {
      if (over.aborted) return;
      logger.warn({ worker, reason: toRhoneError(error).message }, "a spare shard is not loaded");
    }
  }
}
