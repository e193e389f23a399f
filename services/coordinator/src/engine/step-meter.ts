import type { rhone } from "@rhone/proto";
import type { Metrics } from "../metrics.js";
import type { MicroBatch } from "../scheduler/micro-batch.js";
import type { Scheduler } from "../scheduler/scheduler.js";
import { StageClock } from "./stage-clock.js";

type Timings = readonly rhone.v1.StageTiming.$Properties[];

/** A step whose result is back. Times on the engine's clock, in milliseconds. */
export interface ReturnedStep {
  readonly batch: MicroBatch;
  readonly sentAt: number;
  /** When recording it began. */
  readonly startedAt: number;
  readonly recordedAt: number;
}

/** Tells the metrics what steps took, and the scheduler what they cost. */
export class StepMeter {
  readonly #metrics: Metrics;
  readonly #scheduler: Scheduler;
  #clock: StageClock | null = null;
  #preemptions = 0;

  constructor(metrics: Metrics, scheduler: Scheduler) {
    this.#metrics = metrics;
    this.#scheduler = scheduler;
  }

  attach(stages: number): void {
    this.#clock = new StageClock(this.#metrics, stages);
  }

  decided(batch: MicroBatch, ms: number): void {
    this.#metrics.rows.observe(batch.rows);
    this.#metrics.stepSeconds.observe({ phase: "decide" }, ms / 1000);
  }

  /** Call it when the result is recorded. */
  measure({ batch, sentAt, startedAt, recordedAt }: ReturnedStep, timings: Timings): void {
    const metrics = this.#metrics;
    const [ranMs, recordedMs] = [startedAt - sentAt, recordedAt - startedAt];
    metrics.steps.inc();
    metrics.stepSeconds.observe({ phase: "run" }, ranMs / 1000);
    metrics.stepSeconds.observe({ phase: "record" }, recordedMs / 1000);
    if (batch.rows > 0) this.#clock?.record(timings, ranMs / 1000);
    metrics.preemptions.inc(this.#scheduler.preemptions - this.#preemptions);
    this.#preemptions = this.#scheduler.preemptions;
    this.#learn(batch, timings, ranMs);
  }

  /** What the stages say that the step took, and what is left of the time from sending to the result. */
  #learn(batch: MicroBatch, timings: Timings, ranMs: number): void {
    const stageMs = timings.map(({ computeUs }) => (computeUs ?? 0) / 1000);
    const accountedUs = timings.reduce((sum, { computeUs, queuedUs }) => sum + (computeUs ?? 0) + (queuedUs ?? 0), 0);
    this.#scheduler.observe(batch, stageMs, ranMs - accountedUs / 1000);
  }
}
