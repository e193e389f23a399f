import { type GenerationJob, QUEUE_NAMES, REDIS_PREFIX, RhoneError } from "@rhone/common";
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
  /** Most sequences that run at a time. */
  readonly maxSequences: number;
}

/**
 * Jobs held per running sequence. More interactive ones are taken than can run, so that shares between API keys can be fair;
 * what one coordinator holds another can't take, so not many more.
 */
const HELD: Readonly<Record<GenerationJob["lane"], number>> = { interactive: 4, batch: 1 };

/** Takes jobs from the queues of both lanes while the pipeline is ready. */
export class Consumer {
  readonly #lanes: readonly LaneConsumer[];

  /** It starts when `resume` is called. */
  constructor(options: ConsumeOptions) {
    this.#lanes = (["interactive", "batch"] as const).map((lane) => new LaneConsumer(lane, options));
  }

  /** Takes jobs from now on. */
  resume(): void {
    for (const lane of this.#lanes) lane.resume();
  }

  /** Takes no more jobs; those taken stay. */
  pause(): void {
    for (const lane of this.#lanes) lane.pause();
  }

  /** Waits until the jobs that were given up are back in the queues. */
  async close(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.close()));
  }
}

class LaneConsumer {
  readonly #worker: Worker;
  #running = false;

  constructor(lane: GenerationJob["lane"], options: ConsumeOptions) {
    const { connection, maxSequences, logger } = options;
    this.#worker = new Worker(QUEUE_NAMES[lane], (job, token) => take(job, token, options), {
      connection,
      prefix: REDIS_PREFIX,
      concurrency: HELD[lane] * maxSequences,
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

  resume(): void {
    if (!this.#running) {
      this.#running = true;
      this.#worker.run().catch(() => {}); // reported through "error"
    } else if (this.#worker.isPaused()) {
      this.#worker.resume().catch(() => {});
    }
  }

  pause(): void {
    if (this.#running) this.#worker.pause(true).catch(() => {});
  }

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
