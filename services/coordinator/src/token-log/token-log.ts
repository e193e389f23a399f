import { setTimeout as delay } from "node:timers/promises";
import {
  decodeEvent,
  encodeEvents,
  eventsChannel,
  type Logger,
  ordinalAfter,
  RhoneError,
  TOKEN_LOG_FIELD,
  tokenLogEntryId,
  tokenLogKey,
} from "@rhone/common";
import type { Redis } from "ioredis";
import type { Metrics } from "../metrics.js";
import { APPEND_SCRIPT, appendArguments, joinEvents, type LoggedEvent } from "./append-events.js";

/** Events that may wait while Redis is away, about 20 MB; beyond them the engine decides no more steps. */
const MOST_PENDING = 65_536;
/** Most events per write, so that a backlog is written in pieces. */
const MOST_PER_WRITE = 1024;
const RETRY_MS = 500;

/** Makes events durable before anybody sees them. */
export interface EventLog {
  /** Too many events wait to be written: the engine decides nothing until an `append` settles. */
  readonly full: boolean;
  /**
   * Takes the events of one step, in order. Resolves when they are written and announced, with the requests whose log
   * another coordinator has continued: this one has lost them. Rejects only when the log is closed.
   */
  append(events: readonly LoggedEvent[]): Promise<readonly string[]>;
}

interface PendingBatch {
  readonly events: readonly LoggedEvent[];
  readonly settle: (fenced: readonly string[]) => void;
  readonly fail: (error: RhoneError) => void;
}

/** The state of a request in its log, for a coordinator that takes the request over. */
export interface RecordedGeneration {
  readonly tokens: readonly number[];
  /** The next event's. */
  readonly ordinal: number;
  readonly finished: boolean;
}

/**
 * The token logs in Redis: the truth about every generation, written before a token is announced. Redis refuses to
 * write an ordinal twice, which fences coordinators off: the one whose write is refused has lost the request.
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
  /** How often the connection broke. */
  #breaks = 0;
  readonly #countBreak = (): void => {
    this.#breaks++;
  };

  /** `redis` is borrowed; its commands wait while Redis is away. */
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
    this.#redis.on("close", this.#countBreak);
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

  /** What a request's log holds; no tokens and ordinal 0 for a new request. */
  async read(requestId: string): Promise<RecordedGeneration> {
    const entries = await this.#redis.xrange(tokenLogKey(requestId), "-", "+");
    const events = entries.map(([, fields]) => decodeEvent(fields[fields.indexOf(TOKEN_LOG_FIELD) + 1] ?? ""));
    const tokens = events.flatMap((event) => event.tokens);
    const last = events.at(-1);
    return { tokens, ordinal: last === undefined ? 0 : ordinalAfter(last), finished: last?.finish !== undefined };
  }

  /** Drops the events that are not written: another coordinator computes them again. */
  close(): void {
    this.#closed = true;
    this.#redis.off("close", this.#countBreak);
    for (const batch of this.#batches.splice(0))
      batch.fail(new RhoneError("SHUTTING_DOWN", "The token log is closed."));
  }

  /** One write at a time, which keeps the order; the events that gather meanwhile are written together. */
  async #writeAll(): Promise<void> {
    this.#writing = true;
    while (this.#batches.length > 0) {
      const batches = this.#nextBatches();
      const events = batches.flatMap((batch) => batch.events);
      const startedAt = performance.now();
      const fenced = await this.#writeUntilDone(joinEvents(events));
      this.#metrics.logWriteSeconds.observe((performance.now() - startedAt) / 1000);
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
    const breaks = this.#breaks;
    for (let attempt = 1; ; attempt++) {
      try {
        const refused = await this.#write(events);
        // ioredis sends an unanswered command again on a new connection, as we do after an error.
        const maybeOurs = attempt > 1 || this.#breaks !== breaks;
        return maybeOurs ? await this.#notOurs(refused) : refused.map(({ event }) => event.requestId);
      } catch (err) {
        if (this.#closed) return [];
        this.#logger.error({ err, attempt, events: events.length }, "token log not written, trying again");
        await delay(RETRY_MS);
      }
    }
  }

  /** Returns the events that Redis refused. */
  async #write(events: readonly LoggedEvent[]): Promise<readonly LoggedEvent[]> {
    const { keys, args, order } = appendArguments(events);
    const refused = (await this.#redis.eval(APPEND_SCRIPT, keys.length, ...keys, ...args)) as readonly number[];
    return refused.flatMap((number) => order[number - 1] ?? []);
  }

  /** After a connection broke, a refused entry may be one that was written before its answer was lost. */
  async #notOurs(refused: readonly LoggedEvent[]): Promise<readonly string[]> {
    const fenced: string[] = [];
    for (const { replyTo, event } of refused) {
      const id = tokenLogEntryId(event.ordinal);
      const [entry] = await this.#redis.xrange(tokenLogKey(event.requestId), id, id);
      if (entry?.[1][1] !== JSON.stringify(event)) fenced.push(event.requestId);
      else await this.#redis.publish(eventsChannel(replyTo), encodeEvents([event])); // gateways drop repeated events
    }
    return fenced;
  }

  #count(change: number): void {
    this.#pending += change;
    this.#metrics.logPendingEvents.set(this.#pending);
  }
}
