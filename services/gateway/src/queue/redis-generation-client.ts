import {
  cancelJobs,
  decodeEvent,
  decodeEvents,
  eventsChannel,
  FairLine,
  type GenerationEvent,
  type GenerationJob,
  type Logger,
  type QueuedJob,
  RhoneError,
  redisUnavailable,
  TOKEN_LOG_FIELD,
  takeTurn,
  tokenLogEntryId,
  tokenLogKey,
} from "@rhone/common";
import type { Redis } from "ioredis";
import { isSmall, RedisLine } from "../redis-line.js";
import { hasTime, mapInTurns, whenTime } from "../turns.js";
import { CancelLine } from "./cancel-line.js";
import type { GenerateOptions, GenerationClient, JobAddress, JobsState } from "./generation-client.js";
import { HeldBytes } from "./held-bytes.js";
import { Inboxes } from "./inboxes.js";
import { jobBytes } from "./job-bytes.js";
import { JobQueues } from "./job-queues.js";
import type { LogPart } from "./ordered-events.js";

/** A job is submitted again at this interval, in case Redis lost it. */
const RESUBMIT_MS = 30_000;
/** Entries of a token log that are read at a time: with 20 log-probabilities each takes 0.01 ms. */
const LOG_PART = 64;
/** Logs that are read at a time; keys take turns. Each choice of a resumed stream waits for one part of its own. */
const LOGS_AT_ONCE = 2;
/**
 * Jobs up to 16 KiB that are submitted at a time, and larger ones; keys take turns. 2,048 at once held gateway and
 * Redis for 0.35 s each, and another key's job waited for all of them.
 */
const SUBMITTED_AT_ONCE = 64;
/** Jobs of a request that are looked for at a time. */
const LOOKED_FOR_AT_ONCE = 64;

export interface RedisGenerationClientOptions {
  /** Borrowed. */
  readonly redis: Redis;
  /** Borrowed. It subscribes, and is used for nothing else. */
  readonly subscriber: Redis;
  readonly gatewayId: string;
  /** Most jobs waiting in the queue of a model and lane; further ones are refused. */
  readonly maxQueued: number;
  /** Most bytes of unfinished jobs above 16 KiB; further ones are refused. */
  readonly queuedBytes: number;
  readonly logger: Logger;
}

/**
 * Submits jobs to the BullMQ queue of their model and lane. Events return over this gateway's channel, or from the
 * token log.
 */
export class RedisGenerationClient implements GenerationClient {
  readonly #redis: Redis;
  readonly #queues: JobQueues;
  readonly #maxQueued: number;
  readonly #held: HeldBytes;
  readonly #line = new RedisLine();
  readonly #logger: Logger;
  readonly #inboxes: Inboxes;
  /** Announcements, in order, for which their turn had no time left. */
  readonly #unread: string[] = [];
  readonly #cancellations = new CancelLine((jobs) => this.#cancel(jobs));
  readonly #logs = new FairLine({ atOnce: LOGS_AT_ONCE });
  readonly #small = new FairLine({ atOnce: SUBMITTED_AT_ONCE });
  readonly #large = new FairLine({ atOnce: SUBMITTED_AT_ONCE });

  private constructor(options: RedisGenerationClientOptions) {
    const { redis, subscriber, gatewayId, logger, maxQueued, queuedBytes } = options;
    this.#redis = redis;
    this.#inboxes = new Inboxes({
      subscriber,
      gatewayId,
      // 50 clients that resume 16 choices each and leave would have 51,200 events read for nobody without the signal.
      readLog: ({ requestId, keyId }, ordinal, signal) =>
        this.#logs.run(keyId, () => this.#readLog(requestId, ordinal), signal),
    });
    this.#logger = logger;
    this.#maxQueued = maxQueued;
    this.#held = new HeldBytes(queuedBytes);
    this.#queues = new JobQueues(redis, logger);
  }

  static async open(options: RedisGenerationClientOptions): Promise<RedisGenerationClient> {
    const client = new RedisGenerationClient(options);
    const { subscriber, gatewayId } = options;
    subscriber.on("message", (_channel: string, message: string) => client.#receive(message));
    await subscriber.subscribe(eventsChannel(gatewayId));
    subscriber.on("ready", () => client.#inboxes.suspectAll());
    return client;
  }

  async *generate(
    job: GenerationJob,
    signal: AbortSignal,
    { detached, queued }: GenerateOptions = { detached: () => false },
  ): AsyncGenerator<GenerationEvent, void, undefined> {
    const release = this.#held.hold(jobBytes(job), job.keyId);
    const inbox = this.#inboxes.open(job);
    let finished = false;
    let resubmission: NodeJS.Timeout | undefined;
    try {
      signal.throwIfAborted();
      const turn = await this.#submit(job, signal);
      queued?.();
      resubmission = setInterval(() => this.#resubmit(job, turn), RESUBMIT_MS);
      for await (const event of inbox.events(signal)) {
        finished = event.finish !== undefined;
        throwFailure(event);
        yield event;
      }
    } finally {
      clearInterval(resubmission);
      release();
      this.#inboxes.close(job, inbox);
      if (!finished && !detached()) await this.#stop(job, signal);
    }
  }

  async *follow(job: JobAddress, signal: AbortSignal): AsyncGenerator<GenerationEvent, void, undefined> {
    const inbox = this.#inboxes.open(job);
    try {
      inbox.suspect();
      for await (const event of inbox.events(signal)) {
        throwFailure(event);
        yield event;
      }
    } finally {
      this.#inboxes.close(job, inbox);
    }
  }

  /**
   * When this gateway ends, a batch is handed over to another one, and a client that waits is told at once, even while
   * Redis is away.
   */
  async #stop(job: GenerationJob, { aborted, reason }: AbortSignal): Promise<void> {
    const isEnding = aborted && reason instanceof RhoneError && reason.code === "SHUTTING_DOWN";
    if (!isEnding) await this.cancel(job);
    else if (job.lane !== "batch") void this.cancel(job);
  }

  cancel(job: QueuedJob): Promise<void> {
    return this.#cancellations.add(job);
  }

  async #cancel(jobs: readonly QueuedJob[]): Promise<void> {
    const [first] = jobs;
    if (first === undefined) return;
    try {
      await cancelJobs(this.#redis, await this.#queues.of(first), jobs);
    } catch (error) {
      this.#logger.warn({ err: error, requestId: first.requestId, jobs: jobs.length }, "cancel failed");
    }
  }

  /** 0 while Redis has no log of it. Throws REDIS_UNAVAILABLE. */
  logLength({ requestId }: JobAddress): Promise<number> {
    return this.#redis.xlen(tokenLogKey(requestId)).catch(redisUnavailable);
  }

  async hasEnded({ requestId }: JobAddress): Promise<boolean> {
    const [last] = await this.#redis.xrevrange(tokenLogKey(requestId), "+", "-", "COUNT", 1).catch(redisUnavailable);
    return last !== undefined && textsOf([last]).some((text) => readEntry(text, requestId).finish !== undefined);
  }

  async stateOf(jobs: readonly JobAddress[]): Promise<JobsState> {
    const [first] = jobs;
    if (first === undefined) return "ended";
    const queue = await this.#queues.of(first);
    const parts = Array.from({ length: Math.ceil(jobs.length / LOOKED_FOR_AT_ONCE) }, (_, part) =>
      jobs.slice(part * LOOKED_FOR_AT_ONCE, (part + 1) * LOOKED_FOR_AT_ONCE),
    );
    for (const part of parts) {
      const keys = part.map(({ requestId }) => queue.toKey(requestId));
      if ((await this.#redis.exists(keys).catch(redisUnavailable)) > 0) return "open";
    }
    let [logs, ends] = [0, 0];
    for (const part of parts) {
      const keys = part.map(({ requestId }) => tokenLogKey(requestId));
      logs += await this.#redis.exists(keys).catch(redisUnavailable);
      ends += (await Promise.all(part.map((job) => this.hasEnded(job)))).filter(Boolean).length;
      if (logs > ends) return "cut";
    }
    if (logs === 0) return "absent";
    return ends === jobs.length ? "ended" : "cut";
  }

  close(): Promise<void> {
    return this.#queues.close();
  }

  /** Returns the job's turn. */
  async #submit(job: GenerationJob, signal: AbortSignal): Promise<number> {
    const line = isSmall(jobBytes(job)) ? this.#small : this.#large;
    try {
      return await line.run(job.keyId, () => this.#enqueue(job, signal), signal);
    } catch (error) {
      if (error instanceof RhoneError || error === signal.reason) throw error;
      throw new RhoneError("REDIS_UNAVAILABLE", "The queue cannot be reached; try again shortly.", { cause: error });
    }
  }

  async #enqueue(job: GenerationJob, signal: AbortSignal): Promise<number> {
    const queue = await this.#queues.of(job);
    const places = { waitingKey: queue.toKey("prioritized"), most: this.#maxQueued };
    const turn = await takeTurn(this.#redis, job, places);
    await this.#add(job, turn, signal);
    return turn;
  }

  /** BullMQ ignores a job whose id it already has. */
  async #add(job: GenerationJob, turn: number, signal?: AbortSignal): Promise<void> {
    const queue = await this.#queues.of(job);
    const options = { jobId: job.requestId, priority: turn, removeOnComplete: true, removeOnFail: true };
    return this.#line.send(jobBytes(job), async () => {
      signal?.throwIfAborted();
      await queue.add(queue.name, job, options);
    });
  }

  /** A restarted Redis may have lost the job. A coordinator that takes a job twice finds its token log. */
  #resubmit(job: GenerationJob, turn: number): void {
    this.#add(job, turn).catch((err: unknown) =>
      this.#logger.debug({ err, requestId: job.requestId }, "job not submitted again"),
    );
  }

  /**
   * Redis's answers come in one turn of the event loop, up to 64 KB of them: the last events of 500 clients that leave
   * at once took 0.3 s to read.
   */
  #receive(message: string): void {
    if (this.#unread.length === 0 && hasTime()) this.#deliver(message);
    else if (this.#unread.push(message) === 1) whenTime("event", () => this.#deliverNext());
  }

  #deliverNext(): void {
    do this.#deliver(this.#unread.shift() ?? "[]");
    while (this.#unread.length > 0 && hasTime());
    if (this.#unread.length > 0) whenTime("event", () => this.#deliverNext());
  }

  #deliver(message: string): void {
    try {
      for (const event of decodeEvents(message)) this.#inboxes.deliver(event);
    } catch (error) {
      this.#logger.error({ err: error }, "event message unreadable");
      this.#inboxes.suspectAll();
    }
  }

  /** Empty while Redis is away: the log is read again later. Throws RECORD_UNREADABLE. */
  async #readLog(requestId: string, ordinal: number): Promise<LogPart> {
    const entries = await this.#redis
      .xrange(tokenLogKey(requestId), tokenLogEntryId(ordinal), "+", "COUNT", LOG_PART)
      .catch((err: unknown) => {
        this.#logger.warn({ err, requestId }, "token log not read, trying again");
        return [];
      });
    const events = await mapInTurns(textsOf(entries), (entry) => readEntry(entry, requestId));
    return { events, hasMore: entries.length === LOG_PART };
  }
}

/** Of entries of a token log. */
const textsOf = (entries: readonly (readonly [id: string, fields: readonly string[]])[]): readonly string[] =>
  entries.flatMap(([, fields]) => fields[fields.indexOf(TOKEN_LOG_FIELD) + 1] ?? []);

function readEntry(entry: string, requestId: string): GenerationEvent {
  try {
    return decodeEvent(entry);
  } catch (cause) {
    const message = `The token log of ${requestId} was written by another version of the coordinator; send the request again.`;
    throw new RhoneError("RECORD_UNREADABLE", message, { cause });
  }
}

function throwFailure({ finish }: GenerationEvent): void {
  if (finish?.reason === "error") throw new RhoneError(finish.code, finish.message);
  if (finish?.reason === "cancelled") throw new RhoneError("CANCELLED", "The request was cancelled.");
}
