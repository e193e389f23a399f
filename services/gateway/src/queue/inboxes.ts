import { eventsChannel, type GenerationEvent, type GenerationJob, ordinalAfter } from "@rhone/common";
import type { Redis } from "ioredis";

type Addressed = Pick<GenerationJob, "requestId" | "replyTo" | "keyId">;

export interface InboxesOptions {
  /** Borrowed, subscribed to this gateway's channel; to another's only while one of its requests is followed here. */
  readonly subscriber: Redis;
  readonly gatewayId: string;
  /** Throws the signal's reason when it is aborted before the log is read. */
  readonly readLog: (job: Addressed, ordinal: number, signal: AbortSignal) => Promise<LogPart>;
}

/** Events of a request's log, in order. */
export interface LogPart {
  readonly events: readonly GenerationEvent[];
  /** The log may have more behind them. */
  readonly hasMore: boolean;
}

const SILENCE_MS = 2000;

/** Delivers events to the readers of their request, of whom there may be several. */
export class Inboxes {
  readonly #options: InboxesOptions;
  readonly #waiting = new Map<string, Set<OrderedEvents>>();
  /** Readers per channel of another gateway. */
  readonly #foreign = new Map<string, number>();

  constructor(options: InboxesOptions) {
    this.#options = options;
  }

  open(job: Addressed): OrderedEvents {
    const { requestId, replyTo } = job;
    const readLog = (ordinal: number, signal: AbortSignal) => this.#options.readLog(job, ordinal, signal);
    const inbox = new OrderedEvents({ readLog, silenceMs: SILENCE_MS });
    const sharing = this.#waiting.get(requestId) ?? new Set();
    this.#waiting.set(requestId, sharing.add(inbox));
    this.#listen(replyTo, inbox);
    return inbox;
  }

  close({ requestId, replyTo }: Addressed, inbox: OrderedEvents): void {
    const sharing = this.#waiting.get(requestId);
    sharing?.delete(inbox);
    if (sharing?.size === 0) this.#waiting.delete(requestId);
    this.#leave(replyTo);
  }

  deliver(event: GenerationEvent): void {
    for (const inbox of this.#waiting.get(event.requestId) ?? []) inbox.accept(event);
  }

  suspectAll(): void {
    for (const sharing of this.#waiting.values()) for (const inbox of sharing) inbox.suspect();
  }

  /** Events announced before the subscription took effect are in the log. */
  #listen(replyTo: string, inbox: OrderedEvents): void {
    if (replyTo === this.#options.gatewayId) return;
    this.#foreign.set(replyTo, (this.#foreign.get(replyTo) ?? 0) + 1);
    // A broken connection subscribes again by itself; until then the log is read after each 2 s of silence.
    this.#options.subscriber.subscribe(eventsChannel(replyTo)).then(
      () => inbox.suspect(),
      () => {},
    );
  }

  #leave(replyTo: string): void {
    if (replyTo === this.#options.gatewayId) return;
    const left = (this.#foreign.get(replyTo) ?? 1) - 1;
    if (left > 0) {
      this.#foreign.set(replyTo, left);
      return;
    }
    this.#foreign.delete(replyTo);
    this.#options.subscriber.unsubscribe(eventsChannel(replyTo)).catch(() => {});
  }
}

export interface OrderedEventsOptions {
  /** Reads a part of the request's log from this ordinal on. */
  readonly readLog: (ordinal: number, signal: AbortSignal) => Promise<LogPart>;
  /** The log is read when nothing arrived for this long. */
  readonly silenceMs: number;
}

/**
 * Yields one request's events in order, each exactly once. Announcements may be lost, repeated or late; the log in
 * Redis is complete, so gaps and long silences are repaired from it.
 */
export class OrderedEvents {
  readonly #options: OrderedEventsOptions;
  readonly #arrived = new Map<number, GenerationEvent>();
  #next = 0;
  #suspicious = false;
  #settle: (arrived: boolean) => void = () => {};

  constructor(options: OrderedEventsOptions) {
    this.#options = options;
  }

  accept(event: GenerationEvent): void {
    if (event.ordinal < this.#next) return;
    this.#arrived.set(event.ordinal, event);
    this.#settle(true);
  }

  /** Reads the log next, because announcements may have been missed. */
  suspect(): void {
    this.#suspicious = true;
    this.#settle(true);
  }

  /** Ends after the event with `finish`. Throws the signal's reason when it is aborted. For one reader. */
  async *events(signal: AbortSignal): AsyncGenerator<GenerationEvent, void, undefined> {
    // One timer and one listener for all waits, of which there is one per event.
    const silence = setTimeout(() => this.#settle(false), this.#options.silenceMs);
    const wake = (): void => this.#settle(true);
    signal.addEventListener("abort", wake);
    try {
      yield* this.#inOrder(signal, silence);
    } finally {
      clearTimeout(silence);
      signal.removeEventListener("abort", wake);
    }
  }

  async *#inOrder(signal: AbortSignal, silence: NodeJS.Timeout): AsyncGenerator<GenerationEvent, void, undefined> {
    while (true) {
      signal.throwIfAborted();
      const event = this.#take();
      if (event !== undefined) {
        yield event;
        if (event.finish !== undefined) return;
        continue;
      }
      const hasGap = this.#arrived.size > 0 || this.#suspicious;
      if (!hasGap && (await this.#somethingArrives(silence))) continue;
      signal.throwIfAborted();
      await this.#repair(signal);
      signal.throwIfAborted();
      // If the log did not close the gap, wait before reading it again.
      if (!this.#arrived.has(this.#next) && hasGap) await this.#somethingArrives(silence);
    }
  }

  #take(): GenerationEvent | undefined {
    const event = this.#arrived.get(this.#next);
    if (event === undefined) return undefined;
    this.#arrived.delete(this.#next);
    this.#next = ordinalAfter(event);
    return event;
  }

  async #repair(signal: AbortSignal): Promise<void> {
    this.#suspicious = false;
    const { events, hasMore } = await this.#options.readLog(this.#next, signal);
    for (const event of events) this.accept(event);
    this.#suspicious ||= hasMore;
  }

  /** false when nothing arrived within the silence. */
  #somethingArrives(silence: NodeJS.Timeout): Promise<boolean> {
    return new Promise((resolve) => {
      silence.refresh();
      this.#settle = resolve;
    });
  }
}
