import { type Frame, type FrameSender, type Logger, RhoneError, type Security } from "@rhone/common";
import { GgmlType } from "@rhone/ggml";
import type { rhone } from "@rhone/proto";
import type { Metrics } from "../metrics.js";
import type { RunnableStage } from "../stage/stage.js";
import type { EpochOrder } from "../wire/read-order.js";
import { readStep } from "../wire/read-step.js";
import { writeFailure, writeOutput, writeProbe, writeReady } from "../wire/write-result.js";
import { Downstream, type DownstreamEvents } from "./downstream.js";

/** The epoch that this worker is part of. */
interface Epoch {
  readonly order: EpochOrder;
  readonly next: Downstream;
}

/** A step's frame on its way through this stage. */
interface Received {
  /** Pipeline, epoch and number of the step, for the frame that is sent on. */
  readonly head: Frame;
  readonly step: rhone.v1.Step.$Properties;
  /** On the performance clock. */
  readonly arrivedAt: number;
}

export interface StageRunnerOptions {
  readonly worker: string;
  readonly security: Security;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** Runs frames one at a time, in arrival order, and sends each result downstream. */
export class StageRunner {
  readonly #options: StageRunnerOptions;
  #stage: RunnableStage | null = null;
  #epoch: Epoch | null = null;
  #tasks: Promise<void> = Promise.resolve();
  #idleSince = performance.now();
  #steps = 0;
  #busyUs = 0;

  constructor(options: StageRunnerOptions) {
    this.#options = options;
    this.#isStage("spare");
  }

  /** Steps run since the process started. */
  get steps(): number {
    return this.#steps;
  }

  /** Bytes of activations that a step may bring, in the largest type; 0 without a stage. */
  get stepBytes(): number {
    if (this.#stage === null) return 0;
    const { maxRows, rowBytes } = this.#stage.limits;
    return maxRows * rowBytes(GgmlType.F32);
  }

  /** Microseconds spent in steps since the process started. */
  get busyUs(): number {
    return this.#busyUs;
  }

  /** Runs `work` after all frames that have arrived, and before those that arrive later. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#tasks.then(work);
    this.#tasks = done.then(
      () => {},
      () => {},
    );
    return done;
  }

  /** Sets the stage; null between shards. Call it within `exclusively`. */
  replaceStage(stage: RunnableStage | null): void {
    this.#leaveEpoch();
    this.#stage = stage;
  }

  /**
   * Forgets every sequence and connects to the neighbour. Frames of other epochs are dropped from now on. `events` tell
   * what happens to that connection within the epoch.
   */
  openEpoch(order: EpochOrder, events: DownstreamEvents): Promise<void> {
    this.#leaveEpoch();
    return this.exclusively(async () => {
      this.#leaveEpoch();
      const { pipeline, epoch } = order;
      const next = this.#connect(order, events);
      this.#stage?.reset((ready) => next.send({ pipeline, epoch, ...writeReady(ready) }));
      this.#epoch = { order, next };
      this.#isStage(order.stage);
      this.#idleSince = performance.now();
      const { stage, next: neighbour, detour } = order;
      this.#options.logger.info({ epoch, stage, next: neighbour, by: detour?.by }, "epoch opened");
    });
  }

  /** Queues a frame. Its sender is refused when it is not the stage before this one. */
  accept(frame: Frame, sender: FrameSender): void {
    const arrivedAt = performance.now();
    this.exclusively(() => this.#take(frame, { sender, arrivedAt })).catch((err) => {
      this.#options.logger.error({ err }, "frame lost");
    });
  }

  #connect(order: EpochOrder, events: DownstreamEvents): Downstream {
    const { logger, security } = this.#options;
    const broken = (error: RhoneError, isBarred: boolean): void => {
      logger.warn({ reason: error.message, next: order.next }, "the link to the next stage broke");
      events.broken(error, isBarred);
    };
    return new Downstream(order, { security, events: { ...events, broken } });
  }

  #leaveEpoch(): void {
    this.#epoch?.next.close();
    this.#epoch = null;
    this.#isStage("spare");
  }

  #isStage(stage: number | "spare"): void {
    const { worker, metrics } = this.#options;
    metrics.info.reset();
    metrics.info.set({ worker, stage }, 1);
  }

  async #take(
    frame: Frame,
    { sender, arrivedAt }: { readonly sender: FrameSender; readonly arrivedAt: number },
  ): Promise<void> {
    const epoch = this.#epoch;
    if (epoch === null || frame.epoch !== epoch.order.epoch || frame.pipeline !== epoch.order.pipeline) return;
    const problem = notUpstream(sender, epoch.order);
    if (problem !== null) {
      this.#options.logger.warn({ reason: problem.message }, "a sender of frames was refused");
      return sender.refuse(problem);
    }
    const head = { pipeline: frame.pipeline, epoch: frame.epoch, step: frame.step ?? 0 };
    if (frame.stepBody != null) await this.#run(epoch, { head, step: frame.stepBody, arrivedAt });
    else if (frame.probe == null) epoch.next.send(frame);
    else epoch.next.send({ ...head, ...writeProbe(frame.probe, this.#options.worker) });
  }

  async #run({ order, next }: Epoch, received: Received): Promise<void> {
    const { head } = received;
    const { worker, metrics, logger } = this.#options;
    try {
      const result = await this.#result(order, received);
      const sentAt = performance.now();
      next.send({ ...head, ...result }, () => metrics.sendSeconds.observe((performance.now() - sentAt) / 1000));
    } catch (error) {
      metrics.failures.inc();
      logger.error({ err: error, epoch: head.epoch, step: head.step }, "step failed");
      next.send({ ...head, ...writeFailure(error, { worker, stage: order.stage }) });
    }
    this.#idleSince = performance.now();
  }

  /** Throws MESSAGE_MALFORMED before the stage is touched, and what the stage throws. */
  async #result({ stage, activations }: EpochOrder, { step: message, arrivedAt }: Received): Promise<Frame> {
    const startedAt = performance.now();
    if (this.#stage === null) throw new RhoneError("STAGE_FAILED", "This worker holds no shard.");
    const step = readStep(message, this.#stage);
    const computeFrom = performance.now();
    const output = await this.#stage.run(step, activations);
    const computedAt = performance.now();
    const { metrics } = this.#options;
    if (output.kind === "hidden") metrics.sentBytes.inc(output.hidden.bytes.byteLength);
    const computeMs = computedAt - computeFrom;
    const idleMs = Math.max(0, startedAt - this.#idleSince);
    this.#steps += 1;
    this.#busyUs += microseconds(computeMs);
    metrics.steps.inc();
    metrics.rows.inc(step.rows);
    metrics.busySeconds.inc(computeMs / 1000);
    metrics.idleSeconds.inc(idleMs / 1000);
    metrics.stepSeconds.observe(computeMs / 1000);
    return writeOutput(output, message, {
      stage,
      queuedUs: microseconds(startedAt - arrivedAt),
      computeUs: microseconds(computeMs),
      idleUs: microseconds(idleMs),
      overheadUs: microseconds(performance.now() - startedAt - computeMs),
    });
  }
}

/** Why the sender can't be the stage before this one; null when it is, or when certificates don't tell. */
function notUpstream({ peer }: FrameSender, { epoch, stage, upstream }: EpochOrder): RhoneError | null {
  if (
    peer === null ||
    (upstream === "" ? peer.role === "coordinator" : peer.role === "worker" && peer.name === upstream)
  ) {
    return null;
  }
  const wanted = upstream === "" ? "the coordinator" : `worker ${upstream}`;
  const found = `${peer.role} ${peer.name}`;
  return new RhoneError(
    "FORBIDDEN_PEER",
    `Stage ${stage} of epoch ${epoch} takes frames of ${wanted} only; this sender is ${found}.`,
  );
}

const microseconds = (ms: number): number => Math.max(0, Math.round(ms * 1000));
