import { setTimeout as delay } from "node:timers/promises";
import {
  decodeEvent,
  encodeEvent,
  encodeEvents,
  eventsChannel,
  type GenerationEvent,
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
import { dropLogs } from "./drop-logs.js";
import { eventBytes } from "./event-bytes.js";
import { FinishedLogs } from "./finished-logs.js";
import { OpenLogs } from "./open-logs.js";
import { NOTHING_RECORDED, type RecordedGeneration } from "./recorded.js";

/** Bytes of events that may wait while Redis is away: 65,536 tokens. Beyond them the engine decides no more steps. */
const MOST_PENDING_BYTES = 20 * 2 ** 20;
/** Most bytes of events per write, or one step's, so that a backlog is written in pieces: 1,024 tokens, 5 ms. */
const MOST_BYTES_PER_WRITE = 320 * 2 ** 10;
const RETRY_MS = 500;
/** Entries of a log that are read at a time: of one with 20 alternatives to each token, 64 positions of each. */
const READ_AT_ONCE = 64;

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
  /** Those of requests that are lost meanwhile are taken out. */
  events: readonly LoggedEvent[];
  readonly lost: string[];
  /** Of all that were appended. */
  readonly count: number;
  readonly bytes: number;
  readonly settle: (fenced: readonly string[]) => void;
  readonly fail: (error: RhoneError) => void;
}

/**
 * The token logs in Redis: the truth about every generation, written before a token is announced. Redis refuses the
 * writes of a coordinator while another has the job, by the token of the job's lock, and to write an ordinal twice. The
 * one whose write is refused has lost the request, and what it has not written of it.
 */
export class TokenLog implements EventLog {
  readonly #redis: Redis;
  readonly #metrics: Metrics;
  readonly #logger: Logger;
  readonly #open: OpenLogs;
  readonly #finished: FinishedLogs;
  readonly #tooLong: (requestId: string) => void;
  readonly #mostPendingBytes: number;
  readonly #batches: PendingBatch[] = [];
  /** With which jobs were taken, by request. */
  readonly #tokens = new Map<string, string>();
  readonly #pending = { events: 0, bytes: 0 };
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
    readonly mostPendingBytes?: number;
    /** Bytes of the logs of finished requests; above them, the oldest are dropped. */
    readonly finishedBytes: number;
    /** Bytes of the logs of unfinished requests. */
    readonly openBytes: number;
    /** Above them, is called for each request that has to end. */
    readonly tooLong: (requestId: string) => void;
    /** Milliseconds on a monotonic clock; the performance clock when absent. */
    readonly now?: () => number;
  }) {
    this.#redis = options.redis;
    this.#mostPendingBytes = options.mostPendingBytes ?? MOST_PENDING_BYTES;
    this.#metrics = options.metrics;
    this.#logger = options.logger;
    this.#open = new OpenLogs(options.openBytes);
    this.#tooLong = options.tooLong;
    this.#finished = new FinishedLogs(options.finishedBytes, options.now ?? (() => performance.now()));
    this.#redis.on("close", this.#countBreak);
  }

  get full(): boolean {
    return this.#pending.bytes >= this.#mostPendingBytes;
  }

  append(events: readonly LoggedEvent[]): Promise<readonly string[]> {
    return new Promise((settle, fail) => {
      if (this.#closed) return fail(new RhoneError("SHUTTING_DOWN", "The token log is closed."));
      const bytes = events.reduce((sum, { event }) => sum + eventBytes(event), 0);
      const batch: PendingBatch = { events, lost: [], count: events.length, bytes, settle, fail };
      this.#count(1, batch);
      this.#batches.push(batch);
      if (!this.#writing) void this.#writeAll();
    });
  }

  /** The request's job was taken with this token, before its log is read. */
  hold(requestId: string, token: string): void {
    this.#tokens.set(requestId, token);
  }

  /** The job is completed or back in its queue. What waits to be written is refused if another has it. */
  leave(requestId: string, token: string): void {
    if (this.#tokens.get(requestId) === token) this.#tokens.delete(requestId);
  }

  /** Drops the log, as of a request that begins. */
  async forget(requestId: string): Promise<void> {
    await this.#redis.unlink(tokenLogKey(requestId));
  }

  /** What a request's log holds; nothing for a new request. */
  async read(requestId: string): Promise<RecordedGeneration> {
    const tokens: number[] = [];
    let { scored, ordinal, finished, isWhole } = NOTHING_RECORDED;
    for await (const event of this.#events(requestId)) {
      isWhole &&= event.ordinal === ordinal;
      tokens.push(...event.tokens);
      scored += event.promptLogprobs?.length ?? 0;
      ordinal = ordinalAfter(event);
      finished = event.finish !== undefined;
    }
    return { tokens, scored, ordinal, finished, isWhole };
  }

  /** The events of a log, which is read in parts: the event loop turns between them. */
  async *#events(requestId: string): AsyncGenerator<GenerationEvent, void, undefined> {
    const key = tokenLogKey(requestId);
    let entries = await this.#redis.xrange(key, "-", "+", "COUNT", READ_AT_ONCE);
    for (let last = entries.at(-1); last !== undefined; last = entries.at(-1)) {
      for (const [, fields] of entries) yield decodeEvent(fields[fields.indexOf(TOKEN_LOG_FIELD) + 1] ?? "");
      if (entries.length < READ_AT_ONCE) return;
      entries = await this.#redis.xrange(key, `(${last[0]}`, "+", "COUNT", READ_AT_ONCE);
    }
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
      for (const requestId of fenced) this.#open.close(requestId);
      if (fenced.length > 0) this.#takeOut(new Set(fenced));
      this.#dropExcess();
      for (const batch of batches) {
        this.#count(-1, batch);
        batch.settle([...fenced, ...batch.lost]);
      }
      for (const requestId of this.#open.takeExcess()) this.#tooLong(requestId);
    }
    this.#writing = false;
  }

  /** Behind an event that was refused, a later one would leave a gap. */
  #takeOut(requests: ReadonlySet<string>): void {
    for (const batch of this.#batches) {
      const lost = batch.events.filter(({ owner }) => requests.has(owner.requestId));
      if (lost.length === 0) continue;
      batch.events = batch.events.filter(({ owner }) => !requests.has(owner.requestId));
      batch.lost.push(...lost.map(({ owner }) => owner.requestId));
    }
  }

  #nextBatches(): readonly PendingBatch[] {
    let sum = 0;
    const end = this.#batches.findIndex(({ bytes }) => {
      sum += bytes;
      return sum > MOST_BYTES_PER_WRITE;
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
    if (events.length === 0) return [];
    const tokenOf = (requestId: string): string => this.#tokens.get(requestId) ?? "";
    const { keys, args, order, sizes } = appendArguments(events, tokenOf);
    const refused = (await this.#redis.eval(APPEND_SCRIPT, keys.length, ...keys, ...args)) as readonly number[];
    for (const [at, logged] of order.entries()) {
      if (!refused.includes(at + 1)) this.#noteWritten(logged, sizes[at] ?? 0);
    }
    return refused.flatMap((number) => order[number - 1] ?? []);
  }

  /** After a connection broke, a refused entry may be one that was written before its answer was lost. */
  async #notOurs(refused: readonly LoggedEvent[]): Promise<readonly string[]> {
    const fenced: string[] = [];
    for (const logged of refused) {
      const { owner, event } = logged;
      const id = tokenLogEntryId(event.ordinal);
      const [entry] = await this.#redis.xrange(tokenLogKey(event.requestId), id, id);
      const ours = encodeEvent(event);
      if (entry?.[1][1] !== ours) {
        fenced.push(event.requestId);
        continue;
      }
      this.#noteWritten(logged, ours.length);
      // Gateways drop repeated events.
      await this.#redis.publish(eventsChannel(owner.replyTo), encodeEvents([event]));
    }
    return fenced;
  }

  #noteWritten({ owner, event }: LoggedEvent, bytes: number): void {
    this.#open.wrote(owner, bytes);
    if (event.finish !== undefined) this.#finished.add(owner, this.#open.close(owner.requestId));
  }

  #dropExcess(): void {
    const logs = this.#finished.takeExcess();
    if (logs.length === 0) return;
    dropLogs(this.#redis, logs).catch((err: unknown) => this.#logger.warn({ err }, "finished logs not dropped"));
  }

  #count(sign: 1 | -1, { count, bytes }: PendingBatch): void {
    this.#pending.events += sign * count;
    this.#pending.bytes += sign * bytes;
    this.#metrics.logPendingEvents.set(this.#pending.events);
  }
}
