import type { rhone } from "@rhone/proto";
import type { Metrics } from "../metrics.js";
import type { MicroBatch } from "../scheduler/micro-batch.js";

const MICRO = 1e-6;

/** A step whose result is recorded. Times on the engine's clock, in milliseconds. */
export interface RecordedStep {
  readonly batch: MicroBatch;
  readonly sentAt: number;
  /** When its result came. */
  readonly returnedAt: number;
  /** When the result was recorded. */
  readonly recordedAt: number;
  readonly timings: readonly rhone.v1.StageTiming.$Properties[];
}

/** Tells the metrics what steps took. It observes; nothing depends on it. */
export class StepMeter {
  readonly #metrics: Metrics;
  /** Of a row, between stages. */
  readonly #activationBytes: number;
  #stages = 0;
  /** Seconds of all stages together since the pipeline became ready. */
  #busy = 0;
  #idle = 0;

  constructor(metrics: Metrics, activationBytes = 0) {
    this.#metrics = metrics;
    this.#activationBytes = activationBytes;
  }

  /** A pipeline is ready: the bubble ratio starts again. */
  attach(stages: number): void {
    this.#stages = stages;
    this.#busy = 0;
    this.#idle = 0;
  }

  decided(batch: MicroBatch, ms: number): void {
    this.#metrics.rows.observe(batch.rows);
    this.#metrics.stepSeconds.observe({ phase: "decide" }, ms / 1000);
  }

  recorded({ batch, sentAt, returnedAt, recordedAt, timings }: RecordedStep): void {
    const ran = (returnedAt - sentAt) / 1000;
    this.#metrics.steps.inc();
    this.#metrics.stepSeconds.observe({ phase: "run" }, ran);
    this.#metrics.stepSeconds.observe({ phase: "record" }, (recordedAt - returnedAt) / 1000);
    if (batch.rows === 0 || timings.length === 0) return;
    this.#countStages(timings, ran);
    const sent = batch.rows * this.#activationBytes;
    for (let stage = 0; stage + 1 < this.#stages; stage++)
      this.#metrics.stageSentBytes.inc({ stage: String(stage) }, sent);
  }

  /** `ran`: seconds from sending the step to its result. */
  #countStages(timings: RecordedStep["timings"], ran: number): void {
    const metrics = this.#metrics;
    let accounted = 0;
    for (const { stage: index, computeUs, idleUs, overheadUs, queuedUs } of timings) {
      const stage = String(index ?? 0);
      const [busy, idle] = [(computeUs ?? 0) * MICRO, (idleUs ?? 0) * MICRO];
      const overhead = (overheadUs ?? 0) * MICRO;
      metrics.stageBusySeconds.inc({ stage }, busy);
      metrics.stageIdleSeconds.inc({ stage }, idle);
      metrics.stageOverheadSeconds.inc({ stage }, overhead);
      const queued = (queuedUs ?? 0) * MICRO;
      metrics.stageQueuedSeconds.inc({ stage }, queued);
      this.#busy += busy + overhead;
      this.#idle += idle;
      accounted += busy + overhead + queued;
    }
    // S stages have S + 1 hops, the first and the last to and from the coordinator.
    metrics.hopSeconds.observe(Math.max(0, ran - accounted) / (this.#stages + 1));
    if (this.#busy + this.#idle > 0) metrics.bubbleRatio.set(this.#idle / (this.#busy + this.#idle));
  }
}
