import {
  Condition,
  type Logger,
  type PipelineState,
  RhoneError,
  type Security,
  toRhoneError,
  type WorkerMessage,
} from "@rhone/common";
import type { ModelPlan, StagePlan } from "@rhone/planner";
import type { rhone } from "@rhone/proto";
import type { StepLink } from "../engine/engine.js";
import type { Metrics } from "../metrics.js";
import { Calibrations } from "../workers/calibrations.js";
import type { Member } from "../workers/member.js";
import { ShardLoads, type ShardSpec } from "../workers/shard-loads.js";
import type { RegistryListener, WorkerRegistry } from "../workers/worker-registry.js";
import { Epoch, type EpochListener } from "./epoch.js";
import { sameCut, stepTimesOf } from "./plan-pipeline.js";
import { pauseAfter } from "./retry.js";

const WATCHDOG_MS = 1000;
/** Workers that are named to another one as sources of weights. */
const MOST_SOURCES = 8;
/** Workers that join within this time of each other cost one cut of the layers. */
const GROW_AFTER_MS = 2000;

export interface PipelineListener extends EpochListener {
  /** Frames may be sent. */
  ready(link: StepLink): void;
  /** The pipeline that was ready is lost. */
  lost(reason: RhoneError): void;
  /** On the performance clock: when the oldest frame without a result was sent, or null. */
  waitingSince(): number | null;
}

export interface PipelineOptions {
  /** The pipeline's id; its epochs are numbered from 1. */
  readonly id: string;
  readonly security: Security;
  readonly registry: WorkerRegistry;
  /** Null while fewer workers have joined than it needs. Throws NOT_ENOUGH_MEMORY or INVALID_CONFIG. */
  readonly plan: (members: readonly Member[], lastPlan: readonly StagePlan[]) => ModelPlan | null;
  readonly workersNeeded: number;
  /** A worker that joins a pipeline that is ready has the layers cut again. */
  readonly grow?: boolean;
  readonly shardSpec: (stage: StagePlan, pages: number) => ShardSpec;
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

/** Brings a pipeline up, and again whenever it is lost: plan, load, open the epoch, probe, ready. */
export class Pipeline implements RegistryListener {
  readonly #options: PipelineOptions;
  readonly #loads: ShardLoads;
  readonly #calibrations: Calibrations;
  readonly #closing = new AbortController();
  #state: PipelineState = "waiting_for_workers";
  #reason: string | null = null;
  #epoch: Epoch | null = null;
  #epochs = 0;
  /** The last plan whose shards were all loaded. */
  #lastPlan: readonly StagePlan[] = [];
  /** Changes when a worker joins or leaves. */
  readonly #membership = new Condition();
  /** The membership that the current plan was made for. */
  #plannedFor = 0;
  /** Whether a worker outside the current plan has not failed to load a shard. */
  #hasSpare = false;
  /** Stages of the current plan; 0 without one. */
  #plannedStages = 0;
  #everReady = false;
  #address = "";
  #growing: NodeJS.Timeout | undefined;
  /** Of the newcomers' loads that are under way; a later growth aborts it. */
  #growth = new AbortController();
  #changed: () => void = () => {};

  constructor(options: PipelineOptions) {
    this.#options = options;
    this.#loads = new ShardLoads((member) => sourcesFor(member, options.registry.members));
    this.#calibrations = new Calibrations(options.logger);
    options.registry.listen(this);
  }

  get state(): PipelineState {
    return this.#state;
  }

  /** Why it is not ready, or null. */
  get reason(): string | null {
    return this.#reason;
  }

  get epochNumber(): number {
    return this.#epochs;
  }

  /** The epoch that frames may belong to now. */
  get epoch(): Epoch | null {
    return this.#epoch;
  }

  joined(): void {
    this.#membership.notify();
    this.#changed();
    this.#growSoon();
  }

  left(member: Member, reason: string): void {
    if (this.#epoch?.includes(member)) {
      const why = member.isLeaving ? "has left" : `was lost: ${reason}`;
      this.#epoch.break(new RhoneError("WORKER_LOST", `Worker ${member.worker} ${why}.`));
    }
    this.#membership.notify();
    this.#changed();
    this.#growSoon(); // without it
  }

  /**
   * Has a spare load the shard of a worker that leaves while that one still serves, so that requests wait for a prefill
   * only. Where no spare can take it as it is, the worker may leave at once.
   */
  async leaving(member: Member): Promise<void> {
    const { logger } = this.#options;
    const epoch = this.#epoch;
    this.#growth.abort();
    if (epoch === null || this.#state !== "ready" || !epoch.includes(member)) return;
    try {
      const successors = this.#successors(epoch);
      await Promise.all(successors.map(({ heir, spec }) => this.#loads.load(heir, spec, epoch.signal)));
      logger.info({ worker: member.worker, heirs: successors.map(({ heir }) => heir.worker) }, "stage handed over");
    } catch (error) {
      logger.warn({ worker: member.worker, reason: toRhoneError(error).message }, "no spare took the stage over");
    }
  }

  message(member: Member, message: WorkerMessage): void {
    this.#loads.receive(member, message);
    this.#calibrations.receive(member, message);
    if (message.broken != null) this.#epoch?.linkBroken(member, message.broken);
  }

  /** Calls `changed` whenever the state, the reason or the membership changes. */
  onChange(changed: () => void): void {
    this.#changed = changed;
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
    clearTimeout(this.#growing);
    this.#growth.abort();
    const error = new RhoneError("SHUTTING_DOWN", "The coordinator is shutting down.");
    this.#closing.abort(error);
    this.#epoch?.break(error);
    this.#membership.notify();
  }

  /** One life of a pipeline. Returns or throws when it is over. */
  async #once(): Promise<void> {
    const plan = await this.#awaitPlan();
    const members = plan.stages.flatMap(({ worker }) => this.#options.registry.get(worker) ?? []);
    if (members.length < plan.stages.length) throw new RhoneError("WORKER_LOST", "A worker left during the planning.");
    const epoch = this.#begin(plan, members);
    try {
      await this.#load(plan, members, epoch);
      this.#lastPlan = plan.stages;
      if (!(await this.#measure(plan, members, epoch))) return;
      this.#become("probing", "the stages are connecting");
      epoch.open(this.#address, this.#options.activationType);
      await epoch.probe();
      await this.#serve(epoch);
    } finally {
      epoch.break(new RhoneError("EPOCH_CHANGED", "The epoch is over."));
      this.#epoch = null;
    }
  }

  async #awaitPlan(): Promise<ModelPlan> {
    const { registry, plan, workersNeeded } = this.#options;
    for (;;) {
      this.#closing.signal.throwIfAborted();
      this.#plannedFor = this.#membership.version;
      this.#hasSpare = false;
      this.#plannedStages = 0;
      const made = plan(this.#candidates, this.#lastPlan);
      if (made !== null) return made;
      this.#become("waiting_for_workers", `${registry.members.length} of ${workersNeeded} workers have joined`);
      await this.#membership.changedSince(this.#plannedFor);
    }
  }

  #growSoon(): void {
    clearTimeout(this.#growing);
    this.#growth.abort();
    if (this.#options.grow) this.#growing = setTimeout(() => void this.#grow(), GROW_AFTER_MS);
  }

  /** Never rejects. */
  async #grow(): Promise<void> {
    while (await this.#growOnce()) {} // each time without a worker that could not load its layers
  }

  /**
   * Has the workers that make more stages load them, which may take long where they fetch weights, while the others
   * serve; then ends the epoch. True: one of them failed, and the others may do.
   */
  async #growOnce(): Promise<boolean> {
    this.#growth.abort();
    const epoch = this.#epoch;
    if (epoch === null || this.#state !== "ready") return false;
    const growth = new AbortController();
    this.#growth = growth;
    const signal = AbortSignal.any([epoch.signal, growth.signal]);
    const able = this.#able;
    try {
      const plan = this.#options.plan(this.#candidates, this.#lastPlan);
      const stages = plan?.stages.length ?? 0;
      if (plan === null || stages <= epoch.stages) return false;
      await this.#loadNewcomers(plan, epoch, signal);
      epoch.break(new RhoneError("EPOCH_CHANGED", `The layers are cut again, for ${stages} workers.`));
      return false;
    } catch (error) {
      if (signal.aborted) return false;
      growth.abort();
      this.#options.logger.warn({ reason: toRhoneError(error).message }, "the pipeline does not grow");
      return this.#able < able;
    }
  }

  async #loadNewcomers(plan: ModelPlan, epoch: Epoch, signal: AbortSignal): Promise<void> {
    const { registry, shardSpec } = this.#options;
    await Promise.all(
      plan.stages.map(async (stage) => {
        const member = registry.get(stage.worker);
        if (member === undefined || epoch.includes(member)) return;
        await this.#loads.load(member, shardSpec(stage, plan.pages), signal);
      }),
    );
  }

  /** The workers that may get a shard. */
  get #candidates(): readonly Member[] {
    return this.#options.registry.members.filter(({ isLeaving }) => !isLeaving);
  }

  /** How many of them have not failed to load a shard. */
  get #able(): number {
    return this.#candidates.filter(({ loadFailedAt }) => loadFailedAt === null).length;
  }

  /**
   * Which spares load what before the workers that leave may go; none where the next plan gives a worker of this epoch
   * another shard, which it can't load while it serves.
   */
  #successors(epoch: Epoch): readonly { readonly heir: Member; readonly spec: ShardSpec }[] {
    const { plan, registry, shardSpec } = this.#options;
    const next = plan(this.#candidates, this.#lastPlan);
    const loads = (next?.stages ?? []).flatMap((stage) => {
      const heir = registry.get(stage.worker);
      return heir === undefined ? [] : [{ heir, spec: shardSpec(stage, next?.pages ?? 0) }];
    });
    const [staying, spares] = [true, false].map((isIn) => loads.filter(({ heir }) => epoch.includes(heir) === isIn));
    return staying?.every(({ heir, spec }) => this.#loads.holds(heir, spec)) ? (spares ?? []) : [];
  }

  #begin(plan: ModelPlan, members: readonly Member[]): Epoch {
    const { listener, id, security, registry } = this.#options;
    for (const member of registry.members) {
      const stage = plan.stages.find(({ worker }) => worker === member.worker) ?? null;
      if (stage === null && member.shard !== null) this.#loads.release(member);
      if (stage === null && member.loadFailedAt === null) this.#hasSpare = true;
      member.shard = stage;
    }
    this.#plannedStages = plan.stages.length;
    const number = ++this.#epochs;
    this.#epoch = new Epoch({ pipeline: id, number, security, pages: plan.pages, members, listener });
    return this.#epoch;
  }

  async #load(plan: ModelPlan, members: readonly Member[], epoch: Epoch): Promise<void> {
    this.#become("loading", `${members.length} workers are loading their layers`);
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
    await this.#calibrations.complete(members, epoch.signal);
    epoch.stepTimes = stepTimesOf(plan.stages, members);
    const better = this.#options.plan(this.#candidates, plan.stages);
    if (better === null || sameCut(better.stages, plan.stages)) return true;
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
    epoch.signal.throwIfAborted();
    logger.info({ epoch: epoch.number, stages: epoch.stages }, "pipeline ready");
    this.#become("ready", null);
    const watchdog = setInterval(() => epoch.checkProgress(listener.waitingSince(), stepTimeoutMs), WATCHDOG_MS);
    listener.ready(epoch);
    void this.#grow(); // by those that joined while the stages connected
    const error = await epoch.over;
    clearInterval(watchdog);
    listener.lost(error);
    metrics.losses.inc({ code: error.code });
    throw error;
  }

  /** Whether the workers of the current plan that have not failed to load a shard make a pipeline by themselves. */
  get #canShrink(): boolean {
    const { grow = false, workersNeeded } = this.#options;
    return grow && this.#able >= workersNeeded && this.#able < this.#plannedStages;
  }

  /**
   * Reports the failure, and waits until another try is worth it or the membership differs from the one planned for.
   */
  async #afterFailure(error: RhoneError, original: unknown): Promise<void> {
    const { logger } = this.#options;
    const wasReady = this.#state === "ready";
    const pauseMs = pauseAfter(error.code, { wasReady, hasSpare: this.#hasSpare || this.#canShrink });
    if (wasReady || error.code === "WORKER_LOST") {
      logger.warn({ code: error.code, reason: error.message, epoch: this.#epochs }, "pipeline lost");
      this.#become("waiting_for_workers", error.message);
    } else {
      logger.error({ err: original, code: error.code, epoch: this.#epochs }, "pipeline failed");
      this.#become("failed", `${error.code}: ${error.message}`);
    }
    await this.#membership.changedSince(this.#plannedFor, pauseMs === null ? {} : { withinMs: pauseMs });
  }

  #become(state: PipelineState, reason: string | null): void {
    this.#state = state;
    this.#reason = reason;
    this.#changed();
  }
}
