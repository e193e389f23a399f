import { setTimeout as sleep } from "node:timers/promises";
import { type Logger, RhoneError, toRhoneError } from "@rhone/common";
import type { Member } from "../workers/member.js";
import type { Epoch } from "./epoch.js";
import type { Handover } from "./handover.js";

/** Workers that join within this time of each other cost one cut of the layers. */
const GROW_AFTER_MS = 2000;
/** Survivors give layers back when no sequence runs, or after this time. */
const GIVE_BACK_WITHIN_MS = 30_000;
const IDLE_LOOK_MS = 50;
/** For the stages of an epoch that begins to reach each other. */
const CONNECT_MS = 10_000;
const CONNECT_LOOK_MS = 20;
/** For the steps in flight to return before an epoch is given up; the rows of longer ones are computed again. */
const SETTLE_MS = 1000;

/** The pipeline, as those who change its plan see it. */
export interface ServingPipeline {
  readonly epoch: Epoch | null;
  readonly state: string;
  readonly reason: string | null;
  /** Of the plan that would be made now; 0 where none is possible. Throws NOT_ENOUGH_MEMORY, INVALID_CONFIG. */
  readonly nextStages: number;
  /** Survivors serve with layers of workers that they lack: the next plan is better, with as many stages too. */
  readonly isTakenOver: boolean;
  /** Workers that a plan may have and that have not failed to load a shard. */
  readonly able: number;
  /** Ends an epoch that works, for a plan that is prepared. */
  giveUp(epoch: Epoch, why: string): void;
}

export interface PlanChangesOptions {
  readonly pipeline: ServingPipeline;
  readonly handover: Pick<Handover, "prepare">;
  /** A worker that joins a pipeline that is ready has the layers cut again. */
  readonly grow: boolean;
  /** No more frames are sent. Resolves when the results of those in flight are there, or the pipeline is lost. */
  readonly settle: () => Promise<void>;
  /** Whether no sequence runs. */
  readonly isIdle: () => boolean;
  readonly logger: Logger;
}

/** Changes the plan of a pipeline that serves, one change after another: it serves on while each is prepared. */
export class PlanChanges {
  readonly #options: PlanChangesOptions;
  #last: Promise<unknown> = Promise.resolve();
  #growing: NodeJS.Timeout | undefined;
  /** Of the loads for more stages that are under way; a later growth aborts it, and so does a worker that goes. */
  #growth = new AbortController();

  constructor(options: PlanChangesOptions) {
    this.#options = options;
  }

  /**
   * Resolves when others hold the layers of a worker that goes, and no step is in flight; at once for one without any,
   * or when the epoch is over. An epoch that begins is waited for while its stages connect. Throws NO_PIPELINE for one
   * whose stages load, or do not connect in time, and as `Handover.prepare`, once each spare that can't load them has
   * been tried.
   */
  replace(member: Member): Promise<void> {
    this.#growth.abort();
    return this.#inTurn(async () => {
      const { pipeline, handover } = this.#options;
      const { epoch } = pipeline;
      if (!epoch?.includes(member) || epoch.signal.aborted) return; // the next plan is made without it
      await this.#untilReady(epoch);
      if (epoch.signal.aborted) return;
      for (;;) {
        const { able } = pipeline;
        try {
          await handover.prepare(epoch, epoch.signal);
          break;
        } catch (error) {
          if (epoch.signal.aborted) return;
          if (pipeline.able >= able) throw error;
        }
      }
      await this.#settle();
    });
  }

  /** Ends an epoch in order, for another with the same plan. */
  renew(epoch: Epoch, why: string): Promise<void> {
    return this.#inTurn(async () => {
      const { pipeline } = this.#options;
      if (pipeline.epoch !== epoch || pipeline.state !== "ready") return; // the next one begins by itself
      await this.#settle();
      pipeline.giveUp(epoch, why);
    });
  }

  growSoon(): void {
    this.close();
    if (this.#options.grow) this.#growing = setTimeout(() => void this.grow(), GROW_AFTER_MS);
  }

  /** Never rejects. */
  async grow(): Promise<void> {
    while (await this.#inTurn(() => this.#growOnce())) {} // each time without a worker that could not load its layers
  }

  /** No growth begins, and one that is under way ends. */
  close(): void {
    clearTimeout(this.#growing);
    this.#growth.abort();
  }

  /**
   * Has the workers of a plan with more stages load them, which may take long where they fetch weights, while those of
   * this one serve; then ends the epoch. True: one of them failed, and the others may do.
   */
  async #growOnce(): Promise<boolean> {
    const { pipeline, handover, logger } = this.#options;
    this.#growth.abort();
    const { epoch, state, able } = pipeline;
    if (epoch === null || state !== "ready") return false;
    const growth = new AbortController();
    this.#growth = growth;
    const signal = AbortSignal.any([epoch.signal, growth.signal]);
    try {
      const stages = pipeline.nextStages;
      if (stages < epoch.stages || (stages === epoch.stages && !pipeline.isTakenOver)) return false;
      await handover.prepare(epoch, signal);
      if (pipeline.isTakenOver) await this.#untilIdle(signal);
      await this.#settle();
      pipeline.giveUp(epoch, `The layers are cut again, for ${stages} workers.`);
      return false;
    } catch (error) {
      if (signal.aborted) return false;
      growth.abort();
      logger.warn({ reason: toRhoneError(error).message }, "the pipeline does not grow");
      return pipeline.able < able;
    }
  }

  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const done = this.#last.then(change);
    this.#last = done.catch(() => {});
    return done;
  }

  /** Sequences that run were computed again a moment ago, when the worker was lost, and a change repeats that. */
  async #untilIdle(signal: AbortSignal): Promise<void> {
    const deadline = performance.now() + GIVE_BACK_WITHIN_MS;
    while (!this.#options.isIdle() && performance.now() < deadline) await sleep(IDLE_LOOK_MS, undefined, { signal });
  }

  /** Loads may take long, and would be for another plan. */
  async #untilReady({ signal }: Epoch): Promise<void> {
    const { pipeline } = this.#options;
    const deadline = performance.now() + CONNECT_MS;
    while (!signal.aborted && pipeline.state === "probing" && performance.now() < deadline)
      await sleep(CONNECT_LOOK_MS);
    const { state, reason } = pipeline;
    if (signal.aborted || state === "ready") return;
    throw new RhoneError("NO_PIPELINE", `The pipeline is not ready: ${reason ?? state}.`);
  }

  async #settle(): Promise<void> {
    const over = new AbortController();
    const late = sleep(SETTLE_MS, undefined, { signal: over.signal }).catch(() => {});
    await Promise.race([this.#options.settle(), late]);
    over.abort();
  }
}
