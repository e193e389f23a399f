import {
  type Logger,
  type PipelineState,
  RhoneError,
  type Security,
  toRhoneError,
  type WorkerMessage,
} from "@rhone/common";
import type { ModelPlan, ModelWeights, StagePlan } from "@rhone/planner";
import type { rhone } from "@rhone/proto";
import type { StepLink } from "../engine/step-loop.js";
import type { Metrics } from "../metrics.js";
import { Calibrations } from "../workers/calibrations.js";
import type { Member } from "../workers/member.js";
import { ShardLoads, type ShardSpec } from "../workers/shard-loads.js";
import type { RegistryListener, WorkerRegistry } from "../workers/worker-registry.js";
import { Departures } from "./departures.js";
import { Epoch, type EpochListener } from "./epoch.js";
import { Handover } from "./handover.js";
import { PipelineStanding } from "./pipeline-standing.js";
import { PlanChanges, type ServingPipeline } from "./plan-changes.js";
import { stepTimesOf } from "./plan-pipeline.js";
import { Planning, type PlanningOptions } from "./planning.js";
import { Routes } from "./routes.js";
import { SpareStages, type SparesSettings } from "./spare-stages.js";

const WATCHDOG_MS = 1000;
/** Workers that are named to another one as sources of weights. */
const MOST_SOURCES = 8;

export interface PipelineListener extends EpochListener {
  /** Frames may be sent. */
  ready(link: StepLink): void;
  /** The pipeline that was ready is lost. */
  lost(reason: RhoneError): void;
  /** On the performance clock: when the oldest frame without a result was sent, or null. */
  waitingSince(): number | null;
  /** No more frames are sent. Resolves when the results of those in flight are there, or the pipeline is lost. */
  settle(): Promise<void>;
  /** No sequence runs. */
  isIdle(): boolean;
}

export interface PipelineOptions extends Pick<PlanningOptions, "plan" | "workersNeeded"> {
  /** The pipeline's id; its epochs are numbered from 1. */
  readonly id: string;
  readonly security: Security;
  readonly registry: WorkerRegistry;
  readonly weights: ModelWeights;
  /** A worker that joins a pipeline that is ready has the layers cut again. */
  readonly grow?: boolean;
  readonly shardSpec: (stage: StagePlan, pages: number) => ShardSpec;
  readonly spares: SparesSettings;
  readonly activationType: rhone.v1.ActivationType;
  /** The epoch is broken when no step has returned and no stage has reported progress for this long. */
  readonly stepTimeoutMs: number;
  readonly listener: PipelineListener;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** Workers that hold a shard, for one that may lack weights of its own. */
const sourcesFor = (member: Member, members: readonly Member[]): readonly string[] =>
  members
    .filter((other) => other !== member && other.loaded !== null)
    .map(({ address }) => address)
    .slice(0, MOST_SOURCES);

/** Brings a pipeline up by a plan of `Planning`, and again whenever it is lost: load, open the epoch, probe, ready. */
export class Pipeline implements RegistryListener, ServingPipeline {
  readonly #options: PipelineOptions;
  readonly #loads: ShardLoads;
  readonly #calibrations: Calibrations;
  readonly #planning: Planning;
  readonly #changes: PlanChanges;
  readonly #departures: Departures;
  readonly #routes: Routes;
  readonly #closing = new AbortController();
  readonly #standing = new PipelineStanding();
  #epoch: Epoch | null = null;
  #epochs = 0;
  readonly #spares: SpareStages;
  #everReady = false;
  /** On the performance clock: when the last pipeline that was ready ended; null: one is ready, or none was. */
  #overSince: number | null = null;
  #address = "";

  constructor(options: PipelineOptions) {
    this.#options = options;
    this.#loads = new ShardLoads((member) => sourcesFor(member, options.registry.members));
    this.#calibrations = new Calibrations(options.logger);
    this.#routes = new Routes(options.logger);
    const known = { loads: this.#loads, calibrations: this.#calibrations };
    this.#spares = new SpareStages({ ...known, settings: options.spares, logger: options.logger });
    this.#planning = new Planning({ ...options, grow: options.grow === true, spares: this.#spares });
    const handover = new Handover({ ...options, ...known, plan: () => this.#planning.inOrder() });
    const { listener, logger } = options;
    const grow = options.grow === true || options.spares.count > 0;
    const engine = { settle: () => listener.settle(), isIdle: () => listener.isIdle() };
    this.#changes = new PlanChanges({ pipeline: this, handover, grow, ...engine, logger });
    const { registry } = options;
    this.#departures = new Departures({ pipeline: this, changes: this.#changes, handover, registry, ...known, logger });
    options.registry.listen(this);
  }

  get state(): PipelineState {
    return this.#standing.state;
  }

  /** Why it is not ready, or null. */
  get reason(): string | null {
    return this.#standing.reason;
  }

  get epochNumber(): number {
    return this.#epochs;
  }

  /** The epoch that frames may belong to now. */
  get epoch(): Epoch | null {
    return this.#epoch;
  }

  /** The stages whose frames go over the coordinator to the next one. */
  get detours(): readonly number[] {
    return this.#epoch?.detours ?? [];
  }

  joined(): void {
    this.mayPlan();
  }

  /** A worker can be planned with, or can't any more. */
  mayPlan(): void {
    this.#planning.changed();
    this.#standing.tell();
    this.#changes.growSoon();
  }

  /** Something about a worker has changed that others are told. */
  tell(): void {
    this.#standing.tell();
  }

  left(member: Member, reason: string): void {
    this.#routes.forget(member.worker);
    if (this.#epoch?.includes(member)) {
      const { worker, isLeaving } = member;
      this.#epoch.break(
        isLeaving
          ? new RhoneError("EPOCH_CHANGED", `Worker ${worker} has left.`)
          : new RhoneError("WORKER_LOST", `Worker ${worker} was lost: ${reason}.`),
      );
    }
    this.mayPlan(); // without it
  }

  leaving(member: Member): Promise<string> {
    return this.#departures.leaving(member);
  }

  /** As `Departures.drain`. */
  drain(member: Member): Promise<void> {
    return this.#departures.drain(member);
  }

  message(member: Member, message: WorkerMessage): void {
    this.#loads.receive(member, message);
    this.#calibrations.receive(member, message);
    const epoch = this.#epoch;
    if (message.broken != null) epoch?.linkBroken(member, message.broken);
    if (message.proven != null && epoch?.linkProven(member, message.proven)) this.#goStraight(epoch);
  }

  #goStraight(epoch: Epoch): void {
    void this.#changes.renew(epoch, "Two workers reach each other again.");
  }

  /** Calls `changed` whenever the state, the reason or the membership changes. */
  onChange(changed: () => void): void {
    this.#standing.onChange(changed);
  }

  /** Runs until `close`. `address`: host:port where the last stage sends its results. */
  async run(address: string): Promise<void> {
    const { signal } = this.#closing;
    this.#address = address;
    while (!signal.aborted) {
      try {
        await this.#once();
      } catch (error) {
        if (signal.aborted) return;
        await this.#afterFailure(toRhoneError(error), error);
      }
    }
  }

  close(): void {
    this.#changes.close();
    const error = new RhoneError("SHUTTING_DOWN", "The coordinator is shutting down.");
    this.#closing.abort(error);
    this.#epoch?.break(error);
    this.#planning.changed();
  }

  /** One life of a pipeline. Returns or throws when it is over. */
  async #once(): Promise<void> {
    const plan = await this.#planning.next(this.#closing.signal, (joined) =>
      this.#standing.become("waiting_for_workers", joined),
    );
    const members = plan.stages.flatMap(({ worker }) => this.#options.registry.get(worker) ?? []);
    if (members.length < plan.stages.length) throw new RhoneError("WORKER_LOST", "A worker left during the planning.");
    const epoch = this.#begin(plan, members);
    try {
      await this.#load(plan, members, epoch);
      if (this.isTakenOver) epoch.stepTimes = stepTimesOf(plan.stages, members);
      else if (!(await this.#measure(plan, members, epoch))) return;
      this.#standing.become("probing", "the stages are connecting");
      epoch.open(this.#address, this.#options.activationType);
      await epoch.probe();
      if (!this.isTakenOver) this.#spares.begin(plan, members, epoch.signal);
      await this.#serve(epoch);
    } finally {
      epoch.break(new RhoneError("EPOCH_CHANGED", "The epoch is over."));
      this.#epoch = null;
    }
  }

  giveUp(epoch: Epoch, why: string): void {
    epoch.break(new RhoneError("EPOCH_CHANGED", why));
    this.#planning.changed();
  }

  get nextStages(): number {
    return this.#planning.nextStages;
  }

  get isTakenOver(): boolean {
    return this.#planning.isTakenOver;
  }

  get able(): number {
    return this.#planning.able;
  }

  #begin(plan: ModelPlan, members: readonly Member[]): Epoch {
    const { listener, id, security, registry, metrics } = this.#options;
    for (const member of registry.members) {
      const stage = plan.stages.find(({ worker }) => worker === member.worker) ?? null;
      if (stage === null && (member.shard ?? member.loaded) !== null) this.#loads.release(member);
      member.shard = stage;
      member.coming = null;
    }
    this.#planning.begun(plan);
    const number = ++this.#epochs;
    const { pages } = plan;
    const onRelayed = (bytes: number): void => metrics.relayedBytes.inc(bytes);
    const routes = this.#routes;
    this.#epoch = new Epoch({ pipeline: id, number, security, pages, members, listener, routes, onRelayed });
    return this.#epoch;
  }

  async #load(plan: ModelPlan, members: readonly Member[], epoch: Epoch): Promise<void> {
    this.#standing.become("loading", `${members.length} workers are loading their layers`);
    const { shardSpec, logger } = this.#options;
    logger.info({ epoch: epoch.number, pages: plan.pages, stages: plan.stages }, "loading shards");
    await Promise.all(
      plan.stages.map(async (stage, index) => {
        const member = members[index];
        if (member !== undefined) await this.#loads.load(member, shardSpec(stage, plan.pages), epoch.signal);
      }),
    );
    epoch.signal.throwIfAborted();
  }

  /** Has the workers time their layers. False when another cut is clearly faster by these times: a new plan is due. */
  async #measure(plan: ModelPlan, members: readonly Member[], epoch: Epoch): Promise<boolean> {
    const { logger } = this.#options;
    this.#planning.loaded(plan);
    await this.#calibrations.complete(members, epoch.signal);
    epoch.stepTimes = stepTimesOf(plan.stages, members);
    const better = this.#planning.better(plan);
    if (better === null) return true;
    logger.info(
      { epoch: epoch.number, from: plan.stages, to: better.stages },
      "cutting the layers again, by measured times",
    );
    return false;
  }

  async #serve(epoch: Epoch): Promise<void> {
    const { listener, metrics, logger, stepTimeoutMs } = this.#options;
    metrics.epochs.inc();
    if (this.#everReady) metrics.recoveries.inc();
    this.#everReady = true;
    if (this.#overSince !== null) metrics.recoverySeconds.observe((performance.now() - this.#overSince) / 1000);
    this.#overSince = null;
    epoch.signal.throwIfAborted();
    logger.info({ epoch: epoch.number, stages: epoch.stages }, "pipeline ready");
    this.#standing.become("ready", null);
    const watchdog = setInterval(() => epoch.checkProgress(listener.waitingSince(), stepTimeoutMs), WATCHDOG_MS);
    listener.ready(epoch);
    void this.#changes.grow(); // by those that joined while the stages connected
    if (epoch.isDetourNeedless) this.#goStraight(epoch); // a worker said so while they did
    const error = await epoch.over;
    clearInterval(watchdog);
    listener.lost(error);
    this.#overSince = performance.now();
    metrics.losses.inc({ code: error.code });
    throw error;
  }

  /**
   * Reports the failure, and waits until another try is worth it or the membership differs from the one planned for.
   */
  async #afterFailure(error: RhoneError, original: unknown): Promise<void> {
    const { logger } = this.#options;
    const wasReady = this.state === "ready";
    const { code, message: reason } = error;
    if (wasReady || code === "WORKER_LOST" || code === "EPOCH_CHANGED") {
      if (code === "EPOCH_CHANGED") logger.info({ reason, epoch: this.#epochs }, "the pipeline changes");
      else logger.warn({ code, reason, epoch: this.#epochs }, "pipeline lost");
      this.#standing.become("waiting_for_workers", reason);
    } else {
      logger.error({ err: original, code: error.code, epoch: this.#epochs }, "pipeline failed");
      this.#standing.become("failed", `${error.code}: ${error.message}`);
    }
    await this.#planning.afterEnd(code, { wasReady });
  }
}
