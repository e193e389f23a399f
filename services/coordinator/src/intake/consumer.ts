import {
  type GenerationEvent,
  type GenerationJob,
  generationJobSchema,
  type Logger,
  QUEUE_NAMES,
  REDIS_PREFIX,
  RhoneError,
} from "@rhone/common";
import { type Job, WaitingError, Worker } from "bullmq";
import type { Redis } from "ioredis";
import { z } from "zod";
import type { Engine } from "../engine/engine.js";
import type { TokenLog } from "../token-log/token-log.js";
import type { Cancellations } from "./cancellations.js";

/** Completed jobs hold nothing that their token log does not. */
const KEEP = { age: 3600, count: 1000 };

export interface JobContext {
  readonly engine: Engine;
  readonly tokenLog: TokenLog;
  readonly cancellations: Cancellations;
  readonly redis: Redis;
  readonly logger: Logger;
}

export interface ConsumerOptions extends JobContext {
  /** Borrowed; BullMQ opens a second connection like it. */
  readonly connection: Redis;
  /** Most sequences that the engine runs at a time. */
  readonly maxSequences: number;
  /** The jobs of a coordinator that died are taken by another after at most 1.5 times as long. */
  readonly lockMs: number;
}

/**
 * Jobs taken per running sequence. The coordinator takes more interactive jobs than can run, so that shares between API
 * keys can be fair, but not many more: another coordinator can't take what this one holds.
 */
const JOBS_PER_SEQUENCE: Readonly<Record<GenerationJob["lane"], number>> = { interactive: 4, batch: 1 };

/** Takes jobs from the queues of both lanes while the pipeline is ready. */
export class Consumer {
  readonly #lanes: readonly LaneConsumer[];

  /** Takes nothing until `resume` is called. */
  constructor(options: ConsumerOptions) {
    this.#lanes = (["interactive", "batch"] as const).map((lane) => new LaneConsumer(lane, options));
  }

  /** Takes jobs from now on. */
  resume(): void {
    for (const lane of this.#lanes) lane.resume();
  }

  /** Takes no more jobs; those taken go on. */
  pause(): void {
    for (const lane of this.#lanes) lane.pause();
  }

  /** Takes no more jobs, and waits until those taken are completed or back in their queues. */
  async close(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.close()));
  }
}

class LaneConsumer {
  readonly #worker: Worker;
  #running = false;

  constructor(lane: GenerationJob["lane"], options: ConsumerOptions) {
    const { connection, maxSequences, lockMs, logger } = options;
    this.#worker = new Worker(QUEUE_NAMES[lane], (job, token) => takeJob(job, token, options), {
      connection,
      prefix: REDIS_PREFIX,
      concurrency: JOBS_PER_SEQUENCE[lane] * maxSequences,
      autorun: false,
      lockDuration: lockMs,
      stalledInterval: lockMs / 2,
      // A job whose coordinator died is continued by another, however often; deadlines bound it.
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

/**
 * Another coordinator gets the job at once when this one shuts down; otherwise it would wait until the lock expires.
 */
async function takeJob(job: Job, token: string | undefined, context: JobContext): Promise<void> {
  try {
    await runJob(job.data, context);
  } catch (error) {
    if (!(error instanceof RhoneError) || error.code !== "SHUTTING_DOWN") throw error;
    await job.moveToWait(token);
    throw new WaitingError();
  }
}

/** The fields without which a malformed job can't be answered. */
const addressSchema = z.object({ requestId: z.string().min(1), replyTo: z.string() });

/**
 * Runs a job from the beginning, or from the end of its token log when another coordinator began it. Resolves when the
 * last event is written. Rejects as Engine.run does, and with INVALID_REQUEST for a malformed job without an address to
 * answer.
 */
export async function runJob(data: unknown, context: JobContext): Promise<void> {
  const { engine, tokenLog, cancellations, redis } = context;
  const parsed = generationJobSchema.safeParse(data);
  if (!parsed.success) return refuseJob(data, z.prettifyError(parsed.error), context);
  const job = parsed.data;
  const recorded = await tokenLog.read(job.requestId);
  if (recorded.finished) return;
  const cancelled = await cancellations.has(redis, job.requestId);
  const done = engine.run(job, recorded.tokens, recorded.ordinal);
  if (cancelled) engine.cancel(job.requestId);
  return done;
}

async function refuseJob(data: unknown, problem: string, { tokenLog, logger }: JobContext): Promise<void> {
  const address = addressSchema.safeParse(data);
  logger.error({ problem, requestId: address.data?.requestId }, "malformed job");
  const message = `The job does not match this release's schema; run one release of all services. ${problem}`;
  if (!address.success) throw new RhoneError("INVALID_REQUEST", message);
  const { requestId, replyTo } = address.data;
  const { ordinal } = await tokenLog.read(requestId);
  const event: GenerationEvent = {
    requestId,
    ordinal,
    tokens: [],
    text: "",
    finish: { reason: "error", code: "INVALID_REQUEST", message },
    usage: { promptTokens: 0, completionTokens: 0, cachedTokens: 0 },
  };
  await tokenLog.append([{ replyTo, event }]);
}
