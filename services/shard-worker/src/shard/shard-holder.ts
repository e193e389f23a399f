import { type Logger, toRhoneError, type WorkerMessage } from "@rhone/common";
import { rhone } from "@rhone/proto";
import type { ModelFiles } from "@rhone/weights";
import { CoreWait } from "../calibration/core-wait.js";
import type { Metrics } from "../metrics.js";
import type { StageRunner } from "../server/stage-runner.js";
import { readLoad } from "../wire/read-order.js";
import type { Device, LoadedShard, LoadProgress } from "./device.js";

const PROGRESS_INTERVAL_MS = 250;

export interface ShardHolderOptions {
  readonly device: Device;
  readonly files: ModelFiles;
  readonly runner: Pick<StageRunner, "exclusively" | "replaceStage">;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

const PHASES = {
  load: rhone.v1.LoadPhase.PHASE_LOAD,
  check: rhone.v1.LoadPhase.PHASE_CHECK,
  fetch: rhone.v1.LoadPhase.PHASE_FETCH,
} as const;

type Answer = (message: WorkerMessage) => void;

type Times = Pick<rhone.v1.Calibrated.$Properties, "stepTimes" | "waited">;

/**
 * Holds at most one shard, which the coordinator's orders load, time and release. A new load aborts the one before. A
 * coordinator that takes another's place orders what its workers hold: that shard is kept, with its times.
 */
export class ShardHolder {
  readonly #options: ShardHolderOptions;
  #shard: LoadedShard | null = null;
  /** The order by which it was loaded, but for what differs between two of them alike. */
  #order = "";
  /** Of the shard, by the numbers of rows that were asked for. */
  readonly #times = new Map<string, Times>();
  #loading = new AbortController();

  constructor(options: ShardHolderOptions) {
    this.#options = options;
  }

  /** What others that lack weights may read of those that it holds; null: nothing. */
  get given(): LoadedShard["given"] {
    return this.#shard?.given ?? null;
  }

  /** Answers with progress, then with ready or failed; with nothing when a later order overtakes it. */
  async load(message: rhone.v1.LoadShard.$Properties, answer: Answer): Promise<void> {
    this.#loading.abort();
    this.#loading = new AbortController();
    const { signal } = this.#loading;
    const load = message.load ?? 0;
    await this.#options.runner.exclusively(async () => {
      try {
        const { weightBytes, pageBytes, varies } = await this.#held(message, { load, answer, signal });
        answer({ ready: { load, weightBytes, pageBytes, varies, resident: process.memoryUsage.rss() } });
      } catch (error) {
        if (signal.aborted) return;
        const { code, message: text } = toRhoneError(error);
        this.#options.logger.error({ err: error, code }, "shard could not be loaded");
        answer({ failed: { load, code, message: text } });
      }
    });
  }

  /** Answers with the step times of the shard; with none when there is no shard or it cannot be timed. */
  async calibrate({ calibration, rows }: rhone.v1.Calibrate.$Properties, answer: Answer): Promise<void> {
    const times = await this.#options.runner.exclusively(() => this.#timed(rows ?? []));
    answer({ calibrated: { calibration: calibration ?? 0, ...times } });
  }

  async #timed(rows: readonly number[]): Promise<Times> {
    const { logger } = this.#options;
    const known = this.#times.get(rows.join());
    if (known !== undefined) return known;
    const startedAt = performance.now();
    try {
      const wait = new CoreWait();
      const stepTimes = [...((await this.#shard?.measure(rows)) ?? [])];
      const waited = wait.share() ?? 0;
      logger.info({ stepTimes, waited, ms: Math.round(performance.now() - startedAt) }, "shard timed");
      if (stepTimes.length > 0) this.#times.set(rows.join(), { stepTimes, waited });
      return { stepTimes, waited };
    } catch (err) {
      logger.warn({ err }, "the shard could not be timed");
      return { stepTimes: [], waited: 0 };
    }
  }

  /** Frees the shard once the step in flight is done. */
  async release(): Promise<void> {
    this.#loading.abort();
    await this.#options.runner.exclusively(async () => this.#drop());
  }

  async #held(
    message: rhone.v1.LoadShard.$Properties,
    loading: { readonly load: number; readonly answer: Answer; readonly signal: AbortSignal },
  ): Promise<LoadedShard> {
    const order = JSON.stringify({ ...message, load: 0, model: { ...message.model, sources: [] } });
    if (this.#shard !== null && order === this.#order) {
      this.#options.runner.replaceStage(this.#shard.stage); // whose epoch is over
      return this.#shard;
    }
    this.#drop();
    loading.signal.throwIfAborted();
    const shard = await this.#hold(message, loading);
    this.#order = order;
    return shard;
  }

  async #hold(
    message: rhone.v1.LoadShard.$Properties,
    { load, answer, signal }: { readonly load: number; readonly answer: Answer; readonly signal: AbortSignal },
  ): Promise<LoadedShard> {
    const { runner, device, files, metrics, logger } = this.#options;
    const order = readLoad(message);
    let reportedAt = 0;
    const onProgress: LoadProgress = (phase, bytes, totalBytes) => {
      if (bytes < totalBytes && performance.now() - reportedAt < PROGRESS_INTERVAL_MS) return;
      reportedAt = performance.now();
      answer({ progress: { load, phase: PHASES[phase], bytes, totalBytes } });
    };
    const shard = await device.load({ files, order, onProgress, signal });
    this.#shard = shard;
    runner.replaceStage(shard.stage);
    const { weightBytes, pageBytes } = shard;
    metrics.weightBytes.set(weightBytes);
    metrics.pageBytes.set(pageBytes);
    logger.info({ first: order.range.first, last: order.range.last, weightBytes, pageBytes }, "shard loaded");
    return shard;
  }

  #drop(): void {
    this.#options.runner.replaceStage(null);
    this.#shard?.close();
    this.#shard = null;
    this.#times.clear();
    this.#options.metrics.weightBytes.set(0);
    this.#options.metrics.pageBytes.set(0);
  }
}
