import {
  endTurn,
  generationJobSchema,
  type JobQueue,
  jobLockKey,
  type Lane,
  queueName,
  REDIS_PREFIX,
  RhoneError,
} from "@rhone/common";
import { type Job, WaitingError } from "bullmq";
import type { Redis } from "ioredis";
import { AskingWorker } from "./asking-worker.js";
import { HandedBack, HeldJobs, type UnbegunJob } from "./held-jobs.js";
import { insist, isRefused } from "./insist.js";
import { type Lease, leaseOf } from "./lease.js";
import type { ReplicaLoads } from "./replica-loads.js";
import { type JobContext, runJob } from "./run-job.js";
import type { ToldLinks } from "./told-links.js";

/** Completed jobs hold nothing that their token log does not. */
const KEEP = { age: 3600, count: 1000 };

export interface LaneConsumerOptions extends Omit<JobContext, "onArrival"> {
  /** Borrowed; BullMQ opens a second connection like it. */
  readonly connection: Redis;
  /** Most sequences that the engine runs at a time. */
  readonly maxSequences: number;
  /** Of both lanes. */
  readonly loads: ReplicaLoads;
  readonly links: ToldLinks;
  readonly lease: Lease;
  /** After as long a job that its coordinator does not renew goes back to its queue, whatever leases say. */
  readonly lockMs: number;
}

/**
 * Jobs taken per running sequence. The coordinator takes more interactive jobs than can run, so that shares between API
 * keys can be fair, but not many more: each is checked and tokenized, and may have to go back.
 */
const JOBS_PER_SEQUENCE: Readonly<Record<Lane, number>> = { interactive: 4, batch: 1 };

/** Jobs of each lane that a coordinator takes at a time. */
export const jobsAtOnce = (maxSequences: number): Readonly<Record<Lane, number>> => ({
  interactive: JOBS_PER_SEQUENCE.interactive * maxSequences,
  batch: JOBS_PER_SEQUENCE.batch * maxSequences,
});

export interface TakenJob extends UnbegunJob {
  readonly lane: Lane;
}

/**
 * How often a coordinator that can take no more looks for jobs with earlier turns than one it has not begun. A light
 * client's job waits this long at most for its place.
 */
const MAKE_WAY_MS = 250;
/** Jobs that get a place at a time. */
const MADE_WAY_AT_ONCE = 16;
/** How often jobs without a lock are looked for. */
const STALLED_MS = 1000;
/** Jobs of a coordinator that is gone that are put back at a time. */
const RELEASED_AT_ONCE = 64;
/** BullMQ's scores: the priority, above a count of 32 bits that keeps the order of arrival. */
const SCORE_PER_TURN = 2 ** 32;

/** Takes the model's jobs of one lane. */
export class LaneConsumer {
  readonly #options: LaneConsumerOptions;
  readonly #queue: JobQueue;
  readonly #concurrency: number;
  readonly #held: HeldJobs;
  readonly #timer: NodeJS.Timeout;
  readonly #worker: AskingWorker;
  #running = false;

  constructor(lane: Lane, options: LaneConsumerOptions) {
    const { redis, connection, model, maxSequences, loads, lease, lockMs, logger, engine } = options;
    this.#options = options;
    this.#queue = { model, lane };
    this.#concurrency = jobsAtOnce(maxSequences)[lane];
    this.#held = new HeldJobs({
      lackingOf: (requestId) => engine.lackingOf(requestId),
      handBack: (requestId, reason) => engine.handBack(requestId, reason),
    });
    this.#timer = setInterval(() => void this.#makeWay(), MAKE_WAY_MS);
    this.#worker = new AskingWorker(queueName(this.#queue), (job, token) => this.#take(job, token), {
      lane,
      loads,
      lease,
      redis,
      connection,
      prefix: REDIS_PREFIX,
      lockDuration: lockMs,
      stalledInterval: STALLED_MS,
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
    clearInterval(this.#timer);
    await this.#worker.close();
  }

  /** Jobs that have not begun, the last turns first. */
  unbegun(most: number): readonly TakenJob[] {
    const { lane } = this.#queue;
    return this.#held.unbegun(most).map((job) => ({ ...job, lane }));
  }

  /** Hands a job back for another coordinator, unless it has begun or ended. */
  give(job: TakenJob): void {
    this.#held.give(job);
  }

  /** Puts the jobs of coordinators whose leases are over back in the queue. */
  async release(): Promise<void> {
    const { redis, lease, loads, logger } = this.#options;
    const ids = await redis.lrange(this.#worker.toKey("active"), 0, -1);
    const locks = await this.#locksOf(ids);
    // Read after the locks: a coordinator has its lease before it takes a job.
    const living = await lease.living();
    const orphans = ids.flatMap((id, at) => {
      const token = locks[at] ?? "";
      const holder = leaseOf(token);
      return holder === null || living.has(holder) ? [] : { id, token };
    });
    while (orphans.length > 0) {
      const some = orphans.splice(0, RELEASED_AT_ONCE);
      const done = await Promise.all(some.map(({ id, token }) => this.#worker.putBack(id, token)));
      logger.info({ jobs: done.filter(Boolean).length, lane: this.#queue.lane }, "jobs of a lost coordinator released");
    }
    loads.changed[this.#queue.lane].notify();
  }

  /** Gives up the jobs that another coordinator has taken meanwhile. */
  async giveUpLost(): Promise<void> {
    const jobs = this.#held.all();
    const locks = await this.#locksOf(jobs.map(({ requestId }) => requestId));
    for (const [at, job] of jobs.entries()) {
      const lock = locks[at] ?? job.token; // a job without a lock is nobody else's
      if (lock !== job.token && this.#held.has(job)) this.#options.engine.lose(job.requestId);
    }
  }

  async #locksOf(ids: readonly string[]): Promise<readonly (string | null)[]> {
    if (ids.length === 0) return [];
    return this.#options.redis.mget(ids.map((requestId) => jobLockKey({ ...this.#queue, requestId })));
  }

  /**
   * Another coordinator gets the job at once when this one shuts down; otherwise it would wait until the lock expires.
   */
  async #take(job: Job, token = ""): Promise<void> {
    const { pace, redis, tokenLog, loads, links } = this.#options;
    const requestId = job.id ?? "";
    const [turn, route] = [job.opts.priority ?? 0, routeIn(job.data)];
    const held = { requestId, turn, route, token };
    this.#held.add(held);
    tokenLog.hold(requestId, token);
    try {
      await this.#insist(() => {
        if (this.#worker.isPaused()) throw new HandedBack("The pipeline was lost while the job was being taken.");
        const onArrival = () => loads.arrived(requestId);
        return runJob(job.data, { ...this.#options, queuedAtMs: job.timestamp, onArrival });
      });
      await pace.next();
      await this.#insist(() => endTurn(redis, this.#queue, turn));
    } catch (error) {
      if (!goesBack(error)) throw error;
      // Others shall not believe that this coordinator will have the prompt.
      links.doubt(route);
      await links.tell().catch(() => {}); // the next load tells it
      await this.#insist(() => this.#worker.putBack(requestId, token)).catch(() => {}); // or its lock expires
      throw new WaitingError();
    } finally {
      this.#held.delete(held);
      tokenLog.leave(requestId, token);
      links.doubt(route);
    }
  }

  /** A job that failed because Redis refused something would be nobody's. */
  #insist<T>(ask: () => Promise<T>): Promise<T> {
    return insist(ask, { isOver: () => this.#worker.closing !== undefined, logger: this.#options.logger });
  }

  async #makeWay(): Promise<void> {
    if (this.#held.size < this.#concurrency) return;
    const { redis, logger } = this.#options;
    const key = this.#worker.toKey("prioritized");
    try {
      const found = await redis.zrange(key, 0, `${MADE_WAY_AT_ONCE - 1}`, "WITHSCORES");
      const scores = found.filter((_, index) => index % 2 === 1);
      this.#held.makeWay(scores.map((score) => Math.floor(Number(score) / SCORE_PER_TURN)));
    } catch (err) {
      logger.warn({ err }, "queue not read, trying again");
    }
  }
}

/** The route of a job that may be malformed. */
function routeIn(data: unknown): string {
  const parsed = generationJobSchema.shape.route.safeParse((data as { readonly route?: unknown } | null)?.route);
  return parsed.success ? parsed.data : "";
}

/** With EPOCH_CHANGED another coordinator has the job, unless this one has taken it again. */
const goesBack = (error: unknown): boolean =>
  error instanceof HandedBack ||
  isRefused(error) ||
  (error instanceof RhoneError && (error.code === "SHUTTING_DOWN" || error.code === "EPOCH_CHANGED"));
