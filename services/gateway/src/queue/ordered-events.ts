import { type GenerationEvent, ordinalAfter, type TokenLogprob, unlessAborted } from "@rhone/common";

/** Events of a request's log, in order. */
export interface LogPart {
  readonly events: readonly GenerationEvent[];
  /** The log may have more behind them. */
  readonly hasMore: boolean;
}

export interface OrderedEventsOptions {
  /** Reads a part of the request's log from this ordinal on. */
  readonly readLog: (ordinal: number, signal: AbortSignal) => Promise<LogPart>;
  /** The log is read when nothing arrived for this long; after each read without anything new, for twice as long. */
  readonly silenceMs: number;
}

/** The longest silence, in those of the options: 10,000 choices that wait would read 5,000 logs a second. */
const LONGEST_SILENCE = 8;

/**
 * Bytes that announced events may take until they are read: 200 of a token each, or 27 with 20 log-probabilities. A
 * stream whose client does not read would keep all of its answer.
 */
const MOST_UNREAD = 64 * 1024;
/** Bytes of an event and of each of its log-probabilities, as objects. */
const EVENT_BYTES = 256;
const SCORE_BYTES = 104;

/**
 * Yields one request's events in order, each exactly once. Announcements may be lost, repeated or late; the log in
 * Redis is complete, so gaps and long silences are repaired from it, and what comes while many wait is left to it.
 */
export class OrderedEvents {
  readonly #options: OrderedEventsOptions;
  readonly #arrived = new Map<number, GenerationEvent>();
  #unreadBytes = 0;
  #next = 0;
  #suspicious = false;
  /** Silences since something arrived, and those after which the log is read. */
  #silences = 0;
  #silencesToRead = 1;
  #settle: (arrived: boolean) => void = () => {};

  constructor(options: OrderedEventsOptions) {
    this.#options = options;
  }

  accept(event: GenerationEvent): void {
    if (event.ordinal < this.#next) return;
    if (event.ordinal === this.#next || this.#unreadBytes < MOST_UNREAD) this.#keep(event);
    else this.suspect();
  }

  /** Reads the log next, because announcements may have been missed. */
  suspect(): void {
    this.#suspicious = true;
    this.#settle(true);
  }

  #keep(event: GenerationEvent): void {
    if (event.ordinal < this.#next || this.#arrived.has(event.ordinal)) return;
    this.#arrived.set(event.ordinal, event);
    this.#unreadBytes += bytesOf(event);
    this.#settle(true);
  }

  /** Ends after the event with `finish`. Throws the signal's reason when it is aborted. For one reader. */
  async *events(signal: AbortSignal): AsyncGenerator<GenerationEvent, void, undefined> {
    // One timer and one listener for all waits, of which there is one per event.
    const silence = setTimeout(() => {
      if (++this.#silences < this.#silencesToRead) silence.refresh();
      else this.#settle(false);
    }, this.#options.silenceMs);
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
      if (!hasGap) this.#silencesToRead = Math.min(2 * this.#silencesToRead, LONGEST_SILENCE);
      signal.throwIfAborted();
      // If the log did not close the gap, wait before reading it again.
      if (!this.#arrived.has(this.#next) && hasGap) await this.#somethingArrives(silence);
    }
  }

  #take(): GenerationEvent | undefined {
    const event = this.#arrived.get(this.#next);
    if (event === undefined) return undefined;
    this.#arrived.delete(this.#next);
    this.#unreadBytes -= bytesOf(event);
    this.#silencesToRead = 1;
    this.#next = ordinalAfter(event);
    return event;
  }

  async #repair(signal: AbortSignal): Promise<void> {
    this.#suspicious = false;
    const { events, hasMore } = await unlessAborted(this.#options.readLog(this.#next, signal), signal);
    for (const event of events) this.#keep(event);
    this.#suspicious ||= hasMore;
  }

  /** false when nothing arrived within the silence. */
  #somethingArrives(silence: NodeJS.Timeout): Promise<boolean> {
    return new Promise((resolve) => {
      this.#silences = 0;
      silence.refresh();
      this.#settle = resolve;
    });
  }
}

const bytesOf = ({ tokens, text, logprobs = [], promptLogprobs = [] }: GenerationEvent): number =>
  EVENT_BYTES + 8 * tokens.length + 2 * text.length + SCORE_BYTES * (scoresOf(logprobs) + scoresOf(promptLogprobs));

const scoresOf = (list: readonly TokenLogprob[]): number => list.reduce((sum, { top }) => sum + 1 + top.length, 0);
