import { QUEUE_NAME, REDIS_PREFIX, RhoneError } from "@rhone/common";
import { type Job, WaitingError, Worker } from "bullmq";
import type { Redis } from "ioredis";
import { type JobContext, processJob } from "./process-job.js";

/** A coordinator that dies gives its jobs back after at most LOCK_MS + STALLED_CHECK_MS. */
const LOCK_MS = 10_000;
const STALLED_CHECK_MS = 5_000;
/** Completed jobs tell nothing that their token log does not. */
const KEEP = { age: 3600, count: 1000 };

export interface ConsumeOptions extends JobContext {
  /** Borrowed; BullMQ opens a second connection like it. */
  readonly connection: Redis;
  /** Most jobs at a time. */
  readonly concurrency: number;
}

/** Takes jobs from the queue while the pipeline is ready. */
export class Consumer {
  readonly #worker: Worker;
  #running = false;

  /** It starts when `resume` is called. */
  constructor(options: ConsumeOptions) {
    const { connection, concurrency, logger } = options;
    this.#worker = new Worker(QUEUE_NAME, (job, token) => take(job, token, options), {
      connection,
      prefix: REDIS_PREFIX,
      concurrency,
      autorun: false,
      lockDuration: LOCK_MS,
      stalledInterval: STALLED_CHECK_MS,
      // A job whose coordinator died goes on elsewhere, however often; deadlines bound it.
      maxStalledCount: Number.MAX_SAFE_INTEGER,
      removeOnComplete: KEEP,
      removeOnFail: KEEP,
    });
    this.#worker.on("error", (err) => logger.warn({ err }, "queue error"));
    this.#worker.on("failed", (job, err) => logger.warn({ err, requestId: job?.id }, "job failed"));
  }

  /** Takes jobs from now on. */
  resume(): void {
    if (!this.#running) {
      this.#running = true;
      this.#worker.run().catch(() => {}); // reported through "error"
    } else if (this.#worker.isPaused()) {
      this.#worker.resume().catch(() => {});
    }
  }

  /** Takes no more jobs; those taken stay. */
  pause(): void {
    if (this.#running) this.#worker.pause(true).catch(() => {});
  }

  /** Waits until the jobs that were given up are back in the queue. */
  async close(): Promise<void> {
    await this.#worker.close();
  }
}

async function take(job: Job, token: string | undefined, context: JobContext): Promise<void> {
  try {
    await processJob(job.data, context);
  } catch (error) {
    if (!(error instanceof RhoneError) || error.code !== "SHUTTING_DOWN") throw error;
    // Another coordinator should not have to wait until the lock expires.
    await job.moveToWait(token);
    throw new WaitingError();
  }
}
