import { setTimeout as delay } from "node:timers/promises";
import { type Frame, FrameLink, isErrorCode, RhoneError, toRhoneError } from "@rhone/common";
import type { PipelineTimes } from "@rhone/planner";
import type { rhone } from "@rhone/proto";
import type { StepLink } from "../engine/engine.js";

/** How long a new pipeline may take to pass a probe through all stages, and how often it is tried. */
const PROBE_WITHIN_MS = 60_000;
const PROBE_AGAIN_MS = 500;

export interface EpochListener {
  result(step: number, result: rhone.v1.StepResult.$Properties): void;
  /** A stage could not run `step`. */
  failed(step: number, error: RhoneError): void;
}

/** One membership of one pipeline: the frames that go into it and come out of it. Over when it breaks, once. */
export class Epoch implements StepLink {
  readonly number: number;
  readonly stages: number;
  readonly pages: number;
  readonly rowBlock: number;
  /** Known once the shards are loaded. */
  stepTimes: PipelineTimes | null = null;
  readonly #pipeline: string;
  readonly #firstAddress: string;
  readonly #workers: readonly string[];
  readonly #listener: EpochListener;
  readonly #ending = new AbortController();
  #link: FrameLink | null = null;
  #step = 0;
  #probed: ((workers: readonly string[]) => void) | null = null;

  constructor(options: {
    readonly pipeline: string;
    readonly number: number;
    readonly pages: number;
    /** Rows that the workers' kernels compute at once. */
    readonly rowBlock: number;
    /** Worker ids in stage order. */
    readonly workers: readonly string[];
    /** Of stage 0. */
    readonly firstAddress: string;
    readonly listener: EpochListener;
  }) {
    this.number = options.number;
    this.stages = options.workers.length;
    this.pages = options.pages;
    this.rowBlock = options.rowBlock;
    this.#pipeline = options.pipeline;
    this.#firstAddress = options.firstAddress;
    this.#workers = options.workers;
    this.#listener = options.listener;
  }

  /** Aborts with a RhoneError when the epoch is over. */
  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  includes(worker: string): boolean {
    return this.#workers.includes(worker);
  }

  break(error: RhoneError): void {
    this.#link?.close();
    this.#link = null;
    this.#ending.abort(error);
  }

  send(step: rhone.v1.Step.$Properties): number {
    this.#step++;
    this.#link?.send(this.#frame({ stepBody: step }));
    return this.#step;
  }

  /**
   * Resolves when a probe has run through every stage, in order. Stages learn of the epoch each on its own line, so the
   * first probes may find one that does not know of it yet: they are sent again.
   */
  async probe(): Promise<void> {
    const returned = new Promise<readonly string[]>((resolve) => {
      this.#probed = resolve;
    });
    const deadline = AbortSignal.timeout(PROBE_WITHIN_MS);
    const signal = AbortSignal.any([this.signal, deadline]);
    for (;;) {
      this.#connect();
      this.#step++;
      this.#link?.send(this.#frame({ probe: { workers: [] } }));
      const workers = await Promise.race([returned, delay(PROBE_AGAIN_MS, null, { signal }).catch(() => null)]);
      this.signal.throwIfAborted();
      if (workers !== null) return this.#checkRoute(workers);
      if (deadline.aborted) {
        const stages = this.#workers.join(", ");
        throw new RhoneError("STAGE_FAILED", `No probe came through ${stages} in ${PROBE_WITHIN_MS / 1000} s.`);
      }
    }
  }

  /** What the last stage sent. Frames of another pipeline or epoch are late duplicates: they are dropped. */
  accept(frame: Frame): void {
    if (!this.owns(frame) || this.signal.aborted) return;
    const step = frame.step ?? 0;
    if (frame.probe != null) this.#probed?.(frame.probe.workers ?? []);
    else if (frame.failure != null) this.#fail(step, frame.failure);
    else if (frame.result != null) this.#record(step, frame.result);
  }

  /** A result that makes no sense ends the epoch; a broken invariant of ours ends the process as well. */
  #record(step: number, result: rhone.v1.StepResult.$Properties): void {
    try {
      this.#listener.result(step, result);
    } catch (error) {
      const named = toRhoneError(error);
      this.break(named);
      if (named.code !== "STAGE_FAILED") setImmediate(() => Promise.reject(error));
    }
  }

  owns(frame: Frame): boolean {
    return frame.pipeline === this.#pipeline && frame.epoch === this.number;
  }

  #connect(): void {
    if (this.#link !== null) return;
    this.#link = new FrameLink({
      address: this.#firstAddress,
      peer: "stage 0",
      onBroken: (error) => {
        this.#link = null;
        // While probing, stage 0 may not listen yet: the next probe connects again.
        if (this.#probed === null) this.break(error);
      },
    });
  }

  #checkRoute(workers: readonly string[]): void {
    this.#probed = null;
    if (this.#link === null) throw new RhoneError("WORKER_LOST", "Stage 0 closed its stream right after the probe.");
    if (workers.join() === this.#workers.join()) return;
    const routes = `${workers.join(", ")} instead of ${this.#workers.join(", ")}`;
    throw new RhoneError("STAGE_FAILED", `The probe ran through ${routes}.`);
  }

  #fail(step: number, { code, message, worker, stage }: rhone.v1.Failure.$Properties): void {
    const name = isErrorCode(code ?? "") ? (code as "STAGE_FAILED") : "STAGE_FAILED";
    const error = new RhoneError(name, `Stage ${stage} on worker ${worker}: ${message}`);
    this.#listener.failed(step, error);
    this.break(error);
  }

  #frame(body: Frame): Frame {
    return { pipeline: this.#pipeline, epoch: this.number, step: this.#step, ...body };
  }
}
