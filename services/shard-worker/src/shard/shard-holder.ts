import { type Logger, toRhoneError, type WorkerMessage } from "@rhone/common";
import { rhone } from "@rhone/proto";
import type { ModelFiles } from "@rhone/weights";
import { CoreWait } from "../calibration/core-wait.js";
import type { Metrics } from "../metrics.js";
import type { StageRunner } from "../server/stage-runner.js";
import { type LoadOrder, readLoad } from "../wire/read-order.js";
import type { Device, LoadedShard, LoadProgress } from "./device.js";
import { SpareWeights } from "./spare-weights.js";

const PROGRESS_INTERVAL_MS = 250;

export interface ShardHolderOptions {
  readonly device: Device;
  readonly files: ModelFiles;
  readonly runner: Pick<StageRunner, "exclusively" | "replaceStage">;
  readonly metrics: Metrics;
  /** Told how many bytes of weights, spare ones too, and of pages are its own from now on, resident or not. */
  readonly onHeld?: (bytes: number) => void;
  readonly logger: Logger;
}

const PHASES = {
  load: rhone.v1.LoadPhase.PHASE_LOAD,
  check: rhone.v1.LoadPhase.PHASE_CHECK,
  fetch: rhone.v1.LoadPhase.PHASE_FETCH,
} as const;

type Answer = (message: WorkerMessage) => void;
type Order = rhone.v1.LoadShard.$Properties;

/** A shard for the next epoch, loaded or being loaded while another one serves. */
interface Beside {
  /** Equal for orders of the same shard. */
  readonly key: string;
  readonly shard: Promise<LoadedShard>;
  readonly loading: AbortController;
  onProgress: LoadProgress;
}

type Times = Pick<rhone.v1.Calibrated.$Properties, "stepTimes" | "waited">;

/** A shard that serves. */
interface Held {
  readonly key: string;
  readonly shard: LoadedShard;
  /** What was measured, by the rows: a coordinator that restarts asks again. */
  readonly times: Map<string, Times>;
}

/**
 * Holds the shard that serves, which the coordinator's orders load, time and release, and one beside it at most. A new
 * load aborts the one before; one of the shard that is held already, as after a coordinator's restart, keeps it.
 */
export class ShardHolder {
  readonly #options: ShardHolderOptions;
  readonly #spares: SpareWeights;
  #held: Held | null = null;
  #beside: Beside | null = null;
  #loading = new AbortController();

  constructor(options: ShardHolderOptions) {
    this.#options = options;
    this.#spares = new SpareWeights(options);
  }

  /** What others that lack weights may read of those that it holds; null: nothing. */
  get given(): LoadedShard["given"] {
    return this.#held?.shard.given ?? null;
  }

  /** Answers with progress, then with ready or failed; with nothing when a later order overtakes it. */
  async load(message: Order, answer: Answer): Promise<void> {
    if (message.beside === true) return this.#loadBeside(message, answer);
    this.#loading.abort();
    this.#loading = new AbortController();
    const { signal } = this.#loading;
    await this.#options.runner.exclusively(async () => {
      try {
        signal.throwIfAborted();
        answer(readyWith(await this.#hold(message, { answer, signal }), message));
      } catch (error) {
        if (signal.aborted) return; // the later order finds what is held
        this.#drop();
        this.#tellHeld();
        this.#fail(error, message, answer);
      }
    });
  }

  /** Answers as `SpareWeights.hold`. */
  async hold(message: rhone.v1.HoldSpares.$Properties, answer: Answer): Promise<void> {
    await this.#spares.hold(message, answer);
    this.#tellHeld();
  }

  /** Answers with the step times of the shard; with none when there is no shard or it cannot be timed. */
  async calibrate({ calibration, rows }: rhone.v1.Calibrate.$Properties, answer: Answer): Promise<void> {
    const { runner, logger } = this.#options;
    const times = await runner.exclusively(async (): Promise<Times> => {
      const known = this.#held?.times.get(String(rows));
      if (this.#held === null || known !== undefined) return known ?? NO_TIMES;
      const { shard, times: all } = this.#held;
      const startedAt = performance.now();
      try {
        const wait = new CoreWait();
        const stepTimes = [...(await shard.measure(rows ?? []))];
        const measured = { stepTimes, waited: wait.share() ?? 0 };
        logger.info({ ...measured, ms: Math.round(performance.now() - startedAt) }, "shard timed");
        if (stepTimes.length > 0) all.set(String(rows), measured);
        return measured;
      } catch (err) {
        logger.warn({ err }, "the shard could not be timed");
        return NO_TIMES;
      }
    });
    answer({ calibrated: { calibration: calibration ?? 0, ...times } });
  }

  /** Frees the shard once the step in flight is done, the one beside it and spare weights. */
  async release({ beside = false }: rhone.v1.Release.$Properties = {}): Promise<void> {
    this.#dropBeside();
    if (beside) return;
    this.#loading.abort();
    await this.#options.runner.exclusively(async () => {
      this.#spares.drop();
      this.#drop();
    });
    this.#tellHeld();
  }

  async #hold(
    message: Order,
    { answer, signal }: { readonly answer: Answer; readonly signal: AbortSignal },
  ): Promise<LoadedShard> {
    const { runner, metrics, logger } = this.#options;
    const order = readLoad(message);
    const key = keyOf(order);
    if (this.#held?.key === key) {
      this.#dropBeside();
      runner.replaceStage(this.#held.shard.stage);
      return this.#held.shard;
    }
    const onProgress = progressOf(message, answer);
    const ahead = await this.#takeBeside(key, { onProgress, signal });
    const makeRoom = (bytes = 0): void => {
      if (bytes > 0) this.#spares.drop();
      this.#drop();
      this.#dropBeside();
    };
    const { device, files } = this.#options;
    const shard = ahead ?? (await device.load({ files, order, makeRoom, onProgress, signal }));
    makeRoom();
    this.#held = { key, shard, times: new Map() };
    runner.replaceStage(shard.stage);
    const { weightBytes, pageBytes } = shard;
    metrics.weightBytes.set(weightBytes);
    metrics.pageBytes.set(pageBytes);
    this.#tellHeld();
    const { first, last } = order.range;
    logger.info({ first, last, weightBytes, pageBytes, ahead: ahead !== null }, "shard loaded");
    return shard;
  }

  /** Steps run meanwhile. */
  async #loadBeside(message: Order, answer: Answer): Promise<void> {
    this.#dropBeside();
    const { device, files } = this.#options;
    let beside: Beside | null = null;
    try {
      const order = readLoad(message);
      const loading = new AbortController();
      const onProgress: LoadProgress = (...progress) => beside?.onProgress(...progress);
      const shard = device.load({ files, order, onProgress, signal: loading.signal });
      beside = { key: keyOf(order), shard, loading, onProgress: progressOf(message, answer) };
      this.#beside = beside;
      const loaded = await shard;
      if (this.#beside === beside) answer(readyWith(loaded, message));
    } catch (error) {
      if (this.#beside !== beside) return; // another order has overtaken it, or waits for it
      this.#beside = null;
      this.#fail(error, message, answer);
    }
  }

  /** The shard beside, once it is loaded, if it is the one of this key; null: there is none. */
  async #takeBeside(
    key: string,
    { onProgress, signal }: { readonly onProgress: LoadProgress; readonly signal: AbortSignal },
  ): Promise<LoadedShard | null> {
    const beside = this.#beside;
    if (beside?.key !== key) return null;
    this.#beside = null;
    beside.onProgress = onProgress;
    const abort = (): void => beside.loading.abort(signal.reason);
    signal.addEventListener("abort", abort);
    try {
      const shard = await beside.shard.catch(() => null); // with the memory of the one before it may succeed
      if (signal.aborted) shard?.close();
      signal.throwIfAborted();
      return shard;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** Memory can't be freed during a step. */
  #dropBeside(): void {
    this.#beside?.loading.abort();
    void this.#beside?.shard.then(
      (shard) => this.#options.runner.exclusively(async () => shard.close()),
      () => {},
    );
    this.#beside = null;
  }

  #fail(error: unknown, { load }: Order, answer: Answer): void {
    const { code, message } = toRhoneError(error);
    this.#options.logger.error({ err: error, code }, "shard could not be loaded");
    answer({ failed: { load: load ?? 0, code, message } });
  }

  #tellHeld(): void {
    const { device, onHeld } = this.#options;
    onHeld?.(device.weightBytes + (this.#held?.shard.pageBytes ?? 0));
  }

  #drop(): void {
    this.#options.runner.replaceStage(null);
    this.#held?.shard.close();
    this.#held = null;
    this.#options.metrics.weightBytes.set(0);
    this.#options.metrics.pageBytes.set(0);
  }
}

const NO_TIMES: Times = { stepTimes: [], waited: 0 };

/** The same for every order of one shard, wherever its weights may be had. */
const keyOf = (order: LoadOrder): string => JSON.stringify({ ...order, model: { ...order.model, sources: [] } });

function readyWith({ weightBytes, pageBytes, varies }: LoadedShard, { load, beside }: Order): WorkerMessage {
  const resident = process.memoryUsage.rss();
  return { ready: { load: load ?? 0, weightBytes, pageBytes, varies, resident, ...(beside === true && { beside }) } };
}

function progressOf({ load }: Order, answer: Answer): LoadProgress {
  let reportedAt = 0;
  return (phase, bytes, totalBytes) => {
    if (bytes < totalBytes && performance.now() - reportedAt < PROGRESS_INTERVAL_MS) return;
    reportedAt = performance.now();
    answer({ progress: { load: load ?? 0, phase: PHASES[phase], bytes, totalBytes } });
  };
}
