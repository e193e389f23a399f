import { Condition, type ErrorCode } from "@rhone/common";
import type { ModelPlan, StagePlan } from "@rhone/planner";
import type { Member } from "../workers/member.js";
import type { WorkerRegistry } from "../workers/worker-registry.js";
import { sameCut } from "./plan-pipeline.js";
import { pauseAfter } from "./retry.js";
import type { SpareStages } from "./spare-stages.js";

export interface PlanningOptions {
  readonly registry: Pick<WorkerRegistry, "members">;
  /** Null while fewer workers have joined than it needs. Throws NOT_ENOUGH_MEMORY or INVALID_CONFIG. */
  readonly plan: (members: readonly Member[], lastPlan: readonly StagePlan[]) => ModelPlan | null;
  readonly workersNeeded: number;
  /** A worker that joins a pipeline that is ready has the layers cut again. */
  readonly grow: boolean;
  readonly spares: Pick<SpareStages, "takeOver">;
}

/** Decides which plan the next epoch has, and when another one is worth a try. */
export class Planning {
  readonly #options: PlanningOptions;
  /** Changes when a worker joins or leaves. */
  readonly #membership = new Condition();
  /** The membership that the current plan was made for. */
  #plannedFor = 0;
  /** The last plan whose shards were all loaded, unless survivors took over others' layers. */
  #lastPlan: readonly StagePlan[] = [];
  #isTakenOver = false;
  /** Whether the last epoch ended in order, for a plan that is prepared. */
  #endedInOrder = false;
  /** Whether a worker outside the current plan has not failed to load a shard. */
  #hasSpare = false;
  /** Stages of the current plan; 0 without one. */
  #stages = 0;

  constructor(options: PlanningOptions) {
    this.#options = options;
  }

  /** The current plan is one of survivors that took over others' layers. */
  get isTakenOver(): boolean {
    return this.#isTakenOver;
  }

  /** Of the plan for all workers that would be made now; 0 where none is possible. Throws what the plan throws. */
  get nextStages(): number {
    return this.#full()?.stages.length ?? 0;
  }

  /** How many of the workers that may get a shard have not failed to load one. */
  get able(): number {
    return this.#candidates.filter(({ loadFailedAt }) => loadFailedAt === null).length;
  }

  /** The members have changed, or which of them a plan may have: a wait for that is over. */
  changed(): void {
    this.#membership.notify();
  }

  /** The plan that workers prepare for while another serves; null: none is possible. Throws what the plan throws. */
  inOrder(): ModelPlan | null {
    return this.#full() ?? this.#options.spares.takeOver(this.#candidates);
  }

  /**
   * The next plan, once there are workers for one; until then `onWaiting` is told how many there are. Throws what the
   * plan throws, and the signal's reason once something has changed.
   */
  async next(signal: AbortSignal, onWaiting: (joined: string) => void): Promise<ModelPlan> {
    for (;;) {
      signal.throwIfAborted();
      this.#plannedFor = this.#membership.version;
      this.#hasSpare = false;
      this.#stages = 0;
      const made = this.#choose();
      if (made !== null) return made;
      onWaiting(this.#joined());
      await this.#membership.changedSince(this.#plannedFor);
    }
  }

  /** The workers are told of this plan. */
  begun({ stages }: ModelPlan): void {
    this.#stages = stages.length;
    this.#hasSpare = this.#options.registry.members.some(
      (member) =>
        member.isCandidate && member.loadFailedAt === null && stages.every(({ worker }) => worker !== member.worker),
    );
  }

  /** Its shards are loaded: as far as they can, the next plans leave layers where they are. */
  loaded({ stages }: ModelPlan): void {
    this.#lastPlan = stages;
  }

  /** The plan with another cut that is clearly faster by the times that workers measured; null: this one is good. */
  better({ stages }: ModelPlan): ModelPlan | null {
    const better = this.#full();
    return better === null || sameCut(better.stages, stages) ? null : better;
  }

  /** An epoch is over. Resolves when another try is worth it, or the membership differs from the one planned for. */
  async afterEnd(code: ErrorCode, { wasReady }: { readonly wasReady: boolean }): Promise<void> {
    const pauseMs = pauseAfter(code, { wasReady, hasSpare: this.#hasSpare || this.#canShrink });
    this.#endedInOrder = code === "EPOCH_CHANGED";
    await this.#membership.changedSince(this.#plannedFor, pauseMs === null ? {} : { withinMs: pauseMs });
  }

  /** After a loss a plan that loads nothing comes first; the full one follows in order, while that one serves. */
  #choose(): ModelPlan | null {
    const instead = this.#options.spares.takeOver(this.#candidates);
    const full = instead !== null && !this.#endedInOrder ? null : this.#full();
    this.#isTakenOver = full === null && instead !== null;
    return full ?? instead;
  }

  #full(): ModelPlan | null {
    return this.#options.plan(this.#candidates, this.#lastPlan);
  }

  /** The workers that may get a shard. */
  get #candidates(): readonly Member[] {
    return this.#options.registry.members.filter(({ isCandidate }) => isCandidate);
  }

  /** Whether the workers of the current plan that have not failed to load a shard make a pipeline by themselves. */
  get #canShrink(): boolean {
    const { grow, workersNeeded } = this.#options;
    return grow && this.able >= workersNeeded && this.able < this.#stages;
  }

  #joined(): string {
    const { registry, workersNeeded } = this.#options;
    const drained = registry.members.filter(({ drain }) => drain !== null).length;
    const without = drained === 0 ? "" : `; ${drained} more ${drained === 1 ? "is" : "are"} drained`;
    return `${this.#candidates.length} of ${workersNeeded} workers have joined${without}`;
  }
}
