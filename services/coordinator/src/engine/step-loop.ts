import { RhoneError } from "@rhone/common";
import type { rhone } from "@rhone/proto";
import type { MicroBatch } from "../scheduler/micro-batch.js";
import type { PipelineShape } from "../scheduler/scheduler.js";
import { encodeStep } from "../wire/encode-step.js";

/** A pipeline that is ready: frames sent through it come back in order as results. */
export interface StepLink extends PipelineShape {
  /** Returns the step's number. */
  send(step: rhone.v1.Step.$Properties): number;
}

/** A step whose result has not come. Times on the engine's clock, in milliseconds. */
export interface SentStep {
  readonly step: number;
  readonly batch: MicroBatch;
  /** When the decision on it began. */
  readonly decidedAt: number;
  readonly sentAt: number;
}

export interface StepLoopOptions {
  /** The next micro-batch; null: nothing can or need be sent. */
  readonly decide: () => MicroBatch | null;
  /** No further step may be sent at the moment. */
  readonly isHeldUp: () => boolean;
  readonly onSent: (sent: SentStep) => void;
  readonly endTokens: ReadonlySet<number>;
  readonly now: () => number;
}

/** Sends steps through the pipeline that is ready, and knows those in flight. It waits for nothing. */
export class StepLoop {
  readonly #options: StepLoopOptions;
  #link: StepLink | null = null;
  #inFlight: SentStep[] = [];
  #pumpDue = false;
  /** Called when nothing is in flight any more; null: steps may be sent. */
  #settled: (() => void) | null = null;

  constructor(options: StepLoopOptions) {
    this.#options = options;
  }

  /** A pipeline is ready, and has not been lost. */
  get isAttached(): boolean {
    return this.#link !== null;
  }

  /** Nothing is in flight. */
  get isIdle(): boolean {
    return this.#inFlight.length === 0;
  }

  /** When the oldest step in flight was sent; null when none is. */
  get waitingSince(): number | null {
    return this.#inFlight[0]?.sentAt ?? null;
  }

  attach(link: StepLink): void {
    this.#link = link;
    this.#settled = null;
  }

  /** The pipeline is lost, and with it what was in flight. */
  detach(): void {
    this.#link = null;
    this.#inFlight = [];
    this.#settled?.();
    this.#settled = null;
  }

  /** Sends no more steps. Results of those in flight may still come. */
  close(): void {
    this.#link = null;
  }

  /** Sends no more steps through this pipeline. Resolves when those in flight have returned, or it is lost. */
  settle(): Promise<void> {
    return new Promise((resolve) => {
      this.#settled?.();
      this.#settled = resolve;
      if (this.#link === null || this.isIdle) resolve();
    });
  }

  /** Takes the oldest step in flight, whose result is there. Throws STAGE_FAILED when that is of another step. */
  returned(step: number): SentStep {
    const sent = this.#inFlight.shift();
    if (sent === undefined || sent.step !== step) {
      throw new RhoneError("STAGE_FAILED", `Result of step ${step} came when step ${sent?.step ?? "none"} was due.`);
    }
    return sent;
  }

  /** A result was taken in: sends what can be sent now, or tells who waits that nothing is in flight any more. */
  proceed(): void {
    if (this.isIdle) this.#settled?.();
    this.pump();
  }

  pumpSoon(): void {
    if (this.#pumpDue) return;
    this.#pumpDue = true;
    // Requests that arrive together share a step.
    setImmediate(() => {
      this.#pumpDue = false;
      this.pump();
    });
  }

  /** Decides and sends until nothing is left that can or need be sent. */
  pump(): void {
    const { decide, isHeldUp, onSent, endTokens, now } = this.#options;
    while (this.#link !== null && this.#settled === null && !isHeldUp()) {
      const decidedAt = now();
      const batch = decide();
      if (batch === null) return;
      const step = this.#link.send(encodeStep(batch, endTokens));
      const sent = { step, batch, decidedAt, sentAt: now() };
      this.#inFlight.push(sent);
      onSent(sent);
    }
  }
}
