import { type GenerationEvent, ordinalAfter } from "@rhone/common";

export interface OrderedEventsOptions {
  /** The request's log from this ordinal on, in order. */
  readonly readLog: (ordinal: number) => Promise<readonly GenerationEvent[]>;
  /** How long nothing may arrive before the log is read. */
  readonly silenceMs: number;
}

/**
 * Puts one request's events in order, each exactly once. Announcements may be lost, repeated or late; the log in Redis is whole,
 * so a gap or a long silence is repaired from there.
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

  /** Announcements may have been missed: read the log. */
  suspect(): void {
    this.#suspicious = true;
    this.#settle(true);
  }

  /** Ends after the event with `finish`; throws the signal's reason when it is aborted. One reader only. */
  async *events(signal: AbortSignal): AsyncGenerator<GenerationEvent, void, undefined> {
    // One timer and one listener for all waits: there is a wait per event.
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
      await this.#repair();
      // A log that could not be filled up to the gap is asked again after a while, not at once.
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

  async #repair(): Promise<void> {
    this.#suspicious = false;
    for (const event of await this.#options.readLog(this.#next)) this.accept(event);
  }

  /** false: the silence lasted too long. */
  #somethingArrives(silence: NodeJS.Timeout): Promise<boolean> {
    return new Promise((resolve) => {
      silence.refresh();
      this.#settle = resolve;
    });
  }
}
