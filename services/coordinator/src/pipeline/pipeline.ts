import { type Logger, type PipelineState, RhoneError, toRhoneError, type WorkerMessage } from "@rhone/common";
import type { ModelPlan, PipelineTimes, StagePlan } from "@rhone/planner";
import type { rhone } from "@rhone/proto";
import type { StepLink } from "../engine/engine.js";
import type { Metrics } from "../metrics.js";
import { Calibrations } from "../workers/calibrations.js";
import type { Member } from "../workers/member.js";
import { ShardLoads, type ShardSpec } from "../workers/shard-loads.js";
import type { RegistryListener, WorkerRegistry } from "../workers/worker-registry.js";
import { Epoch } from "./epoch.js";

/** A plan that could not stand is tried again after this long, if not sooner by a change of membership. */
const RETRY_MS = 2000;
/** After a loss: long enough not to spin when a pipeline breaks as soon as it stands. */
const REBUILD_MS = 100;
const WATCHDOG_MS = 1000;

export interface PipelineListener {
  /** Frames may be sent. */
  ready(link: StepLink): void;
  /** The pipeline that was ready is gone. */
  lost(): void;
  result(step: number, result: rhone.v1.StepResult.$Properties): void;
  failed(step: number, error: RhoneError): void;
  /** On the performance clock: when the oldest frame without a result was sent, or null. */
  waitingSince(): number | null;
}

export interface PipelineOptions {
  /** Its id; epochs are counted within it. */
  readonly id: string;
  readonly registry: WorkerRegistry;
  /** Fewer joined workers than needed: null. Throws NOT_ENOUGH_MEMORY or INVALID_CONFIG. */
  readonly plan: (members: readonly Member[], lastPlan: readonly StagePlan[]) => ModelPlan | null;
  readonly workersNeeded: number;
  readonly shardSpec: (stage: StagePlan, pages: number) => ShardSpec;
  readonly activationType: rhone.v1.ActivationType;
  /** A step without a result, while no stage counts steps, for so long breaks the epoch. */
  readonly stepTimeoutMs: number;
  readonly listener: PipelineListener;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** Failures that only other workers or settings can mend. */
const LASTING = new Set<string>([
  "NOT_ENOUGH_MEMORY",
  "INVALID_CONFIG",
  "OUT_OF_MEMORY",
  "MODEL_MISMATCH",
  "MODEL_NOT_FOUND",
]);

/** Brings a pipeline up, and up again whenever it is lost: plan, load, open the epoch, probe, ready. */
export class Pipeline implements RegistryListener {
  readonly #options: PipelineOptions;
  readonly #loads = new ShardLoads();
  readonly #calibrations: Calibrations;
  readonly #closing = new AbortController();
  #state: PipelineState = "waiting_for_workers";
  #reason: string | null = null;
  #epoch: Epoch | null = null;
  #epochs = 0;
  #lastPlan: readonly StagePlan[] = [];
  #membershipChanged: () => void = () => {};
  #everReady = false;
  #address = "";
  #changed: () => void = () => {};

  constructor(options: PipelineOptions) {
    this.#options = options;
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
    this.#membershipChanged();
    this.#changed();
  }

  left(member: Member, reason: string): void {
    if (this.#epoch?.includes(member.worker)) {
      this.#epoch.break(new RhoneError("WORKER_LOST", `Worker ${member.worker} was lost: ${reason}.`));
    }
    this.#membershipChanged();
    this.#changed();
  }

  message(member: Member, message: WorkerMessage): void {
    this.#loads.hear(member, message);
    this.#calibrations.hear(message);
  }

  /** `changed` is called when the state, the reason or the membership is another. */
  onChange(changed: () => void): void {
    this.#changed = changed;
  }

  /** Runs until `close`. `address`: host:port of this coordinator, where the last stage sends its results. */
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
    const error = new RhoneError("SHUTTING_DOWN", "The coordinator is shutting down.");
    this.#closing.abort(error);
    this.#epoch?.break(error);
    this.#membershipChanged();
  }

  /** One life of a pipeline. Returns or throws when it is over. */
  async #once(): Promise<void> {
    const plan = await this.#awaitPlan();
    const members = plan.stages.map(({ worker }) => this.#member(worker));
    const epoch = this.#begin(plan, members);
    try {
      await this.#load(plan, members, epoch);
      if (!(await this.#measure(plan, members, epoch))) return;
      this.#open(members);
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
      const changed = new Promise<void>((resolve) => {
        this.#membershipChanged = resolve;
      });
      this.#closing.signal.throwIfAborted();
      const made = plan(registry.members, this.#lastPlan);
      if (made !== null) return made;
      this.#become("waiting_for_workers", `${registry.members.length} of ${workersNeeded} workers have joined`);
      await changed;
    }
  }

  #begin(plan: ModelPlan, members: readonly Member[]): Epoch {
    const { listener, id } = this.#options;
    const workers = members.map(({ worker }) => worker);
    this.#lastPlan = plan.stages;
    this.#epochs++;
    for (const member of this.#options.registry.members) {
      const stage = plan.stages.find(({ worker }) => worker === member.worker) ?? null;
      if (stage === null && member.shard !== null) {
        member.loaded = null;
        member.send({ release: {} });
      }
      member.shard = stage;
    }
    this.#epoch = new Epoch({
      pipeline: id,
      number: this.#epochs,
      pages: plan.pages,
      rowBlock: Math.max(...members.map(({ rowBlock }) => rowBlock)),
      workers,
      firstAddress: members[0]?.address ?? "",
      listener,
    });
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

  /** Has the workers time their layers. False when another cut is clearly faster by these times: begin anew. */
  async #measure(plan: ModelPlan, members: readonly Member[], epoch: Epoch): Promise<boolean> {
    const { registry, logger } = this.#options;
    await this.#calibrations.complete(members, epoch.signal);
    epoch.stepTimes = stepTimesOf(plan.stages, members);
    const better = this.#options.plan(registry.members, plan.stages);
    if (better === null || sameCut(better.stages, plan.stages)) return true;
    logger.info({ epoch: epoch.number, from: plan.stages, to: better.stages }, "cutting the layers anew, as measured");
    return false;
  }

  /** Tells every stage of the epoch, the last first: a stage should know of it before its upstream neighbour sends. */
  #open(members: readonly Member[]): void {
    this.#become("probing", "the stages are connecting");
    const { id, activationType } = this.#options;
    members.toReversed().forEach((member, fromLast) => {
      const stage = members.length - 1 - fromLast;
      const next = members[stage + 1]?.address ?? this.#address;
      member.send({
        epoch: { pipeline: id, epoch: this.#epochs, stage, next, activationType },
      });
    });
  }

  async #serve(epoch: Epoch): Promise<void> {
    const { listener, metrics, logger } = this.#options;
    metrics.epochs.inc();
    if (this.#everReady) metrics.recoveries.inc();
    this.#everReady = true;
    const over = new Promise<RhoneError>((resolve) => {
      epoch.signal.addEventListener("abort", () => resolve(epoch.signal.reason), { once: true });
    });
    epoch.signal.throwIfAborted();
    logger.info({ epoch: epoch.number, stages: epoch.stages }, "pipeline ready");
    this.#become("ready", null);
    const watchdog = setInterval(() => this.#watch(epoch), WATCHDOG_MS);
    listener.ready(epoch);
    const error = await over;
    clearInterval(watchdog);
    listener.lost();
    metrics.losses.inc({ code: error.code });
    throw error;
  }

  /** Breaks an epoch in which nothing moves any more. A slow step is no reason while the stages still count steps. */
  #watch(epoch: Epoch): void {
    const { listener, registry, stepTimeoutMs } = this.#options;
    const since = listener.waitingSince();
    if (since === null) return;
    const stepped = registry.members.filter(({ worker }) => epoch.includes(worker)).map(({ steppedAt }) => steppedAt);
    if (performance.now() - Math.max(since, ...stepped) < stepTimeoutMs) return;
    epoch.break(new RhoneError("STAGE_FAILED", `No stage has finished a step for ${stepTimeoutMs / 1000} s.`));
  }

  /** Says why, and waits until it is worth another try: at once when the membership changed, else a while. */
  async #afterFailure(error: RhoneError, original: unknown): Promise<void> {
    const { logger } = this.#options;
    const lasting = LASTING.has(error.code);
    // One that stood is rebuilt at once: only the requests that broke it, if any did, are counted against.
    if (error.code === "WORKER_LOST" || this.#state === "ready") {
      logger.warn({ code: error.code, reason: error.message, epoch: this.#epochs }, "pipeline lost");
      this.#become("waiting_for_workers", error.message);
      await this.#pause(REBUILD_MS);
      return;
    }
    logger.error({ err: original, code: error.code, epoch: this.#epochs }, "pipeline failed");
    this.#become("failed", `${error.code}: ${error.message}`);
    await this.#pause(lasting ? null : RETRY_MS);
  }

  /** Until the membership changes, or `ms` have passed. */
  async #pause(ms: number | null): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#membershipChanged = resolve;
      if (ms !== null) timer = setTimeout(resolve, ms);
      if (this.#closing.signal.aborted) resolve();
    });
    clearTimeout(timer);
  }

  #become(state: PipelineState, reason: string | null): void {
    this.#state = state;
    this.#reason = reason;
    this.#changed();
  }

  #member(worker: string): Member {
    const member = this.#options.registry.get(worker);
    if (member === undefined) throw new RhoneError("WORKER_LOST", `Worker ${worker} left while the plan was made.`);
    return member;
  }
}

function sameCut(a: readonly StagePlan[], b: readonly StagePlan[]): boolean {
  const key = (stages: readonly StagePlan[]): string =>
    JSON.stringify(stages.map(({ worker, last }) => [worker, last]));
  return key(a) === key(b);
}

/** Null when a worker could not time its shard. */
function stepTimesOf(stages: readonly StagePlan[], members: readonly Member[]): PipelineTimes | null {
  const times = stages.flatMap(({ first, last, heads }, index) => {
    const curve = members[index]?.calibration?.curve;
    return curve === undefined ? [] : [{ curve, layers: last - first, heads }];
  });
  return times.length === stages.length ? times : null;
}
