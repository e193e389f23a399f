import type { rhone } from "@rhone/proto";
import type { Metrics } from "../metrics.js";

const MICRO = 1e-6;

/** Adds up what the stages tell about their time in one epoch. */
export class StageClock {
  readonly #metrics: Metrics;
  readonly #stages: number;
  #busy = 0;
  #idle = 0;

  constructor(metrics: Metrics, stages: number) {
    this.#metrics = metrics;
    this.#stages = stages;
  }

  /** `seconds`: the step's time from sending to its result. */
  record(timings: readonly rhone.v1.StageTiming.$Properties[], seconds: number): void {
    let accounted = 0;
    for (const timing of timings) {
      const stage = String(timing.stage ?? 0);
      const busy = (timing.computeUs ?? 0) * MICRO;
      const idle = (timing.idleUs ?? 0) * MICRO;
      const overhead = (timing.overheadUs ?? 0) * MICRO;
      this.#metrics.stageBusySeconds.inc({ stage }, busy);
      this.#metrics.stageIdleSeconds.inc({ stage }, idle);
      this.#metrics.stageOverheadSeconds.inc({ stage }, overhead);
      this.#busy += busy + overhead;
      this.#idle += idle;
      accounted += busy + overhead + (timing.queuedUs ?? 0) * MICRO;
    }
    if (timings.length === 0) return;
    // S stages have S + 1 hops, the first and the last to and from the coordinator.
    this.#metrics.hopSeconds.observe(Math.max(0, seconds - accounted) / (this.#stages + 1));
    if (this.#busy + this.#idle > 0) this.#metrics.bubbleRatio.set(this.#idle / (this.#busy + this.#idle));
  }
}
