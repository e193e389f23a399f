import { type Logger, toRhoneError, type WorkerMessage } from "@rhone/common";
import type { rhone } from "@rhone/proto";
import type { Metrics } from "../metrics.js";
import type { StageRunner } from "../server/stage-runner.js";
import type { Device, LoadedShard } from "./device.js";

const PROGRESS_INTERVAL_MS = 250;

export interface ShardHolderOptions {
  readonly device: Device;
  readonly modelsDir: string | undefined;
  readonly runner: StageRunner;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** Holds at most one shard, and changes it when the coordinator says so. A new load ends the one before. */
export class ShardHolder {
  readonly #options: ShardHolderOptions;
  #shard: LoadedShard | null = null;
  #loading = new AbortController();

  constructor(options: ShardHolderOptions) {
    this.#options = options;
  }

  /** Answers with progress, then with ready or failed. */
  async load(load: rhone.v1.LoadShard.$Properties, answer: (message: WorkerMessage) => void): Promise<void> {
    const { runner, device, modelsDir, metrics, logger } = this.#options;
    this.#loading.abort();
    this.#loading = new AbortController();
    const { signal } = this.#loading;
    const id = load.load ?? 0;
    let reportedAt = 0;
    const onProgress = (bytes: number, totalBytes: number): void => {
      if (bytes < totalBytes && performance.now() - reportedAt < PROGRESS_INTERVAL_MS) return;
      reportedAt = performance.now();
      answer({ progress: { load: id, bytes, totalBytes } });
    };
    await runner.exclusively(async () => {
      this.#drop();
      try {
        signal.throwIfAborted();
        const shard = await device.load({ modelsDir, load, onProgress, signal });
        this.#shard = shard;
        runner.replaceStage(shard.stage);
        metrics.weightBytes.set(shard.weightBytes);
        metrics.pageBytes.set(shard.pageBytes);
        const { weightBytes, pageBytes } = shard;
        logger.info({ first: load.firstLayer, last: load.lastLayer, weightBytes, pageBytes }, "shard loaded");
        answer({ ready: { load: id, weightBytes, pageBytes, resident: process.memoryUsage.rss() } });
      } catch (error) {
        if (signal.aborted) return;
        const { code, message } = toRhoneError(error);
        logger.error({ err: error, code }, "shard could not be loaded");
        answer({ failed: { load: id, code, message } });
      }
    });
  }

  /** Answers with the step times of the shard, with none when there is no shard or it cannot run. */
  async calibrate(order: rhone.v1.Calibrate.$Properties, answer: (message: WorkerMessage) => void): Promise<void> {
    const { runner, logger } = this.#options;
    const startedAt = performance.now();
    const stepTimes = await runner.exclusively(async () => {
      try {
        return (await this.#shard?.measure(order.rows ?? [])) ?? [];
      } catch (err) {
        logger.warn({ err }, "the shard could not be timed");
        return [];
      }
    });
    logger.info({ stepTimes, ms: Math.round(performance.now() - startedAt) }, "shard timed");
    answer({ calibrated: { calibration: order.calibration ?? 0, stepTimes: [...stepTimes] } });
  }

  /** Frees the shard once the step in flight is done. */
  async release(): Promise<void> {
    this.#loading.abort();
    await this.#options.runner.exclusively(async () => this.#drop());
  }

  #drop(): void {
    this.#options.runner.replaceStage(null);
    this.#shard?.close();
    this.#shard = null;
    this.#options.metrics.weightBytes.set(0);
    this.#options.metrics.pageBytes.set(0);
  }
}
