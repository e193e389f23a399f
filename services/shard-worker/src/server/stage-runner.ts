import { type Frame, FrameLink, type Logger, toRhoneError } from "@rhone/common";
import type { rhone } from "@rhone/proto";
import type { Metrics } from "../metrics.js";
import type { RunnableStage, StageOutput } from "../stage/runnable-stage.js";

/** The epoch that this worker is part of. */
interface Epoch {
  readonly message: rhone.v1.OpenEpoch.$Properties;
  readonly next: FrameLink;
}

export interface StageRunnerOptions {
  readonly worker: string;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** Takes frames from upstream, runs them one after another in the order of their coming, and sends what they become downstream. */
export class StageRunner {
  /** Since the process started. */
  steps = 0;
  busyUs = 0;
  readonly #options: StageRunnerOptions;
  #stage: RunnableStage | null = null;
  #epoch: Epoch | null = null;
  #tasks: Promise<void> = Promise.resolve();
  #idleSince = performance.now();

  constructor(options: StageRunnerOptions) {
    this.#options = options;
  }

  /** Runs `work` after all frames that came before, and holds up those that come after. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#tasks.then(work);
    this.#tasks = done.then(
      () => {},
      () => {},
    );
    return done;
  }

  /** The stage to run from now on; null between shards. Call within `exclusively`. */
  replaceStage(stage: RunnableStage | null): void {
    this.#leaveEpoch();
    this.#stage = stage;
  }

  /** Forgets every sequence and connects to the neighbour. Frames of other epochs are dropped from now on. */
  openEpoch(message: rhone.v1.OpenEpoch.$Properties): Promise<void> {
    this.#leaveEpoch();
    return this.exclusively(async () => {
      this.#leaveEpoch();
      this.#stage?.reset();
      this.#epoch = { message, next: this.#connect(message.next ?? "") };
      this.#idleSince = performance.now();
      this.#options.logger.info({ epoch: message.epoch, stage: message.stage, next: message.next }, "epoch opened");
    });
  }

  /** Queues a frame. */
  accept(frame: Frame): void {
    const arrivedAt = performance.now();
    this.exclusively(() => this.#take(frame, arrivedAt)).catch((err) => {
      this.#options.logger.error({ err }, "frame lost");
    });
  }

  #connect(address: string): FrameLink {
    const { logger } = this.#options;
    const onBroken = (err: Error): void => logger.warn({ err, next: address }, "the link to the next stage broke");
    return new FrameLink({ address, peer: "the next stage", onBroken });
  }

  #leaveEpoch(): void {
    this.#epoch?.next.close();
    this.#epoch = null;
  }

  async #take(frame: Frame, arrivedAt: number): Promise<void> {
    const epoch = this.#epoch;
    if (epoch === null || frame.epoch !== epoch.message.epoch || frame.pipeline !== epoch.message.pipeline) return;
    if (frame.probe != null) {
      const workers = [...(frame.probe.workers ?? []), this.#options.worker];
      epoch.next.send({ ...frame, probe: { ...frame.probe, workers } });
    } else if (frame.stepBody == null) epoch.next.send(frame);
    else await this.#run(epoch, frame, { step: frame.stepBody, arrivedAt });
  }

  async #run(
    { message, next }: Epoch,
    frame: Frame,
    { step, arrivedAt }: { readonly step: rhone.v1.Step.$Properties; readonly arrivedAt: number },
  ): Promise<void> {
    const { pipeline = "", epoch = 0, step: number = 0 } = frame;
    const head = { pipeline, epoch, step: number };
    const startedAt = performance.now();
    try {
      if (this.#stage === null) throw new Error("no shard is loaded");
      const output = await this.#stage.run(step, message.activationType ?? 0);
      const timing = this.#account(step, { arrivedAt, startedAt });
      const timings = [...(step.timings ?? []), { stage: message.stage ?? 0, ...timing }];
      next.send({ ...head, ...this.#bodyOf(output, step, { timings, hiddenType: message.activationType ?? 0 }) });
    } catch (error) {
      this.#options.metrics.failures.inc();
      this.#options.logger.error({ err: error, epoch, step: number }, "step failed");
      const { code, message: text } = toRhoneError(error);
      const failure = { code, message: text, worker: this.#options.worker, stage: message.stage ?? 0 };
      next.send({ ...head, failure });
    }
    this.#idleSince = performance.now();
  }

  #bodyOf(
    output: StageOutput,
    step: rhone.v1.Step.$Properties,
    { timings, hiddenType }: { readonly timings: rhone.v1.StageTiming.$Properties[]; readonly hiddenType: number },
  ): Frame {
    if (output.kind === "results") return { result: { spans: [...output.spans], timings } };
    this.#options.metrics.sentBytes.inc(output.bytes.byteLength);
    return { stepBody: { ...step, hidden: output.bytes, hiddenType, timings } };
  }

  #account(
    step: rhone.v1.Step.$Properties,
    { arrivedAt, startedAt }: { readonly arrivedAt: number; readonly startedAt: number },
  ): Omit<rhone.v1.StageTiming.$Properties, "stage"> {
    const us = (ms: number): number => Math.max(0, Math.round(ms * 1000));
    const { metrics } = this.#options;
    const seconds = (performance.now() - startedAt) / 1000;
    const idleMs = startedAt - this.#idleSince;
    this.steps += 1;
    this.busyUs += us(seconds * 1000);
    metrics.steps.inc();
    metrics.rows.inc((step.spans ?? []).reduce((sum, { count }) => sum + (count ?? 0), 0));
    metrics.busySeconds.inc(seconds);
    metrics.idleSeconds.inc(Math.max(0, idleMs / 1000));
    metrics.stepSeconds.observe(seconds);
    return { queuedUs: us(startedAt - arrivedAt), computeUs: us(seconds * 1000), idleUs: us(idleMs) };
  }
}
