import { setTimeout as delay } from "node:timers/promises";
import {
  decodeEvent,
  encodeEvents,
  eventsChannel,
  FINISHED_LOG_TTL_S,
  type GenerationEvent,
  type Logger,
  OPEN_LOG_TTL_S,
  RhoneError,
  TOKEN_LOG_FIELD,
  tokenLogEntryId,
  tokenLogKey,
} from "@rhone/common";
import type { Redis } from "ioredis";
import type { Metrics } from "../metrics.js";
import type { EventLog, LoggedEvent } from "./event-log.js";

/** Events that may wait while Redis is away; then the engine decides no more steps. About 20 MB. */
const MOST_PENDING = 65_536;
/** Events per write: a backlog goes out in pieces. */
const MOST_PER_WRITE = 1024;
const RETRY_MS = 500;

interface PendingBatch {
  readonly events: readonly LoggedEvent[];
  readonly settle: (fenced: readonly string[]) => void;
  readonly fail: (error: RhoneError) => void;
}

/** What a request's log tells to one who takes the request over. */
export interface RecordedGeneration {
  readonly tokens: readonly number[];
  /** Of the next event. */
  readonly ordinal: number;
  readonly finished: boolean;
}

type Reply = readonly [error: Error | null, reply: unknown];

/**
 * The token logs in Redis: the truth of every generation, written before a token is announced. Redis refuses to write an
 * ordinal twice, which fences coordinators off each other: the one that comes second has lost the request.
 */
export class TokenLog implements EventLog {
  readonly #redis: Redis;
  readonly #metrics: Metrics;
  readonly #logger: Logger;
  readonly #mostPending: number;
  readonly #batches: PendingBatch[] = [];
  #pending = 0;
  #writing = false;
  #closed = false;

  /** `redis` is borrowed; its commands wait for Redis to come back. */
  constructor(options: {
    readonly redis: Redis;
    readonly metrics: Metrics;
    readonly logger: Logger;
    readonly mostPending?: number;
  }) {
    this.#redis = options.redis;
    this.#mostPending = options.mostPending ?? MOST_PENDING;
    this.#metrics = options.metrics;
    this.#logger = options.logger;
  }

  get full(): boolean {
    return this.#pending >= this.#mostPending;
  }

  append(events: readonly LoggedEvent[]): Promise<readonly string[]> {
    return new Promise((settle, fail) => {
      if (this.#closed) return fail(new RhoneError("SHUTTING_DOWN", "The token log is closed."));
      this.#count(events.length);
      this.#batches.push({ events, settle, fail });
      if (!this.#writing) void this.#writeAll();
    });
  }

  /** What is written of a request: nothing for a new one. */
  async read(requestId: string): Promise<RecordedGeneration> {
    const entries = await this.#redis.xrange(tokenLogKey(requestId), "-", "+");
    const events = entries.map(([, fields]) => decodeEvent(fields[fields.indexOf(TOKEN_LOG_FIELD) + 1] ?? ""));
    const tokens = events.flatMap((event) => event.tokens);
    const last = events.at(-1);
    return { tokens, ordinal: last === undefined ? 0 : last.ordinal + 1, finished: last?.finish !== undefined };
  }

  /** Events that are not written are given up: another coordinator computes them again. */
  close(): void {
    this.#closed = true;
    for (const batch of this.#batches.splice(0))
      batch.fail(new RhoneError("SHUTTING_DOWN", "The token log is closed."));
  }

  /** One write at a time, so that the order stands; whatever gathers meanwhile goes out together. */
  async #writeAll(): Promise<void> {
    this.#writing = true;
    while (this.#batches.length > 0) {
      const batches = this.#nextBatches();
      const events = batches.flatMap((batch) => batch.events);
      const startedAt = performance.now();
      const fenced = await this.#writeUntilDone(events);
      this.#metrics.logWriteSeconds.observe((performance.now() - startedAt) / 1000);
      this.#publish(events.filter(({ event }) => !fenced.includes(event.requestId)));
      this.#count(-events.length);
      for (const batch of batches) batch.settle(fenced);
    }
    this.#writing = false;
  }

  #nextBatches(): readonly PendingBatch[] {
    let count = 0;
    const end = this.#batches.findIndex(({ events }) => {
      count += events.length;
      return count > MOST_PER_WRITE;
    });
    return this.#batches.splice(0, end < 0 ? this.#batches.length : Math.max(1, end));
  }

  /** Writes the events however long Redis is away; returns the requests that another coordinator has continued. */
  async #writeUntilDone(events: readonly LoggedEvent[]): Promise<readonly string[]> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#write(events, attempt > 1);
      } catch (err) {
        if (this.#closed) return [];
        this.#logger.error({ err, attempt, events: events.length }, "token log not written, trying again");
        await delay(RETRY_MS);
      }
    }
  }

  async #write(events: readonly LoggedEvent[], again: boolean): Promise<readonly string[]> {
    const pipeline = this.#redis.pipeline();
    const adds: { readonly at: number; readonly event: GenerationEvent }[] = [];
    for (const { event } of events) {
      const key = tokenLogKey(event.requestId);
      adds.push({ at: pipeline.length, event });
      pipeline.xadd(key, tokenLogEntryId(event.ordinal), TOKEN_LOG_FIELD, JSON.stringify(event));
      if (event.finish !== undefined) pipeline.expire(key, FINISHED_LOG_TTL_S);
      else if (event.ordinal === 0) pipeline.expire(key, OPEN_LOG_TTL_S);
    }
    const replies = ((await pipeline.exec()) ?? []) as readonly Reply[];
    const refused: GenerationEvent[] = [];
    for (const { at, event } of adds) {
      const error = replies[at]?.[0];
      if (error == null) continue;
      if (!isRefusal(error)) throw error;
      refused.push(event);
    }
    return again ? this.#notOurs(refused) : [...new Set(refused.map((event) => event.requestId))];
  }

  /** After a connection broke, an entry that is refused may be the one that we wrote and whose answer was lost. */
  async #notOurs(refused: readonly GenerationEvent[]): Promise<readonly string[]> {
    const fenced = new Set<string>();
    for (const event of refused) {
      const id = tokenLogEntryId(event.ordinal);
      const [entry] = await this.#redis.xrange(tokenLogKey(event.requestId), id, id);
      if (entry?.[1][1] !== JSON.stringify(event)) fenced.add(event.requestId);
    }
    return [...fenced];
  }

  /** Not awaited: gateways read what they miss from the log. */
  #publish(events: readonly LoggedEvent[]): void {
    const byGateway = new Map<string, GenerationEvent[]>();
    for (const { replyTo, event } of events) {
      const its = byGateway.get(replyTo);
      if (its === undefined) byGateway.set(replyTo, [event]);
      else its.push(event);
    }
    if (byGateway.size === 0) return;
    const pipeline = this.#redis.pipeline();
    for (const [gateway, its] of byGateway) {
      pipeline.publish(eventsChannel(gateway), encodeEvents(its));
    }
    pipeline.exec().catch((err: unknown) => this.#logger.warn({ err }, "events written but not announced"));
  }

  #count(change: number): void {
    this.#pending += change;
    this.#metrics.logPendingEvents.set(this.#pending);
  }
}

/** Redis' answer to an entry id that is not above the last one. */
function isRefusal(error: Error): boolean {
  return error.message.includes("equal or smaller");
}
