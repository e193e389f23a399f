import { type GenerationEvent, ordinalAfter } from "@rhone/common";

export interface OrderedEventsOptions {
  /** Reads the request's log from this ordinal on, in order. */
  readonly readLog: (ordinal: number) => Promise<readonly GenerationEvent[]>;
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
      await this.#repair();
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

  async #repair(): Promise<void> {
    this.#suspicious = false;
    for (const event of await this.#options.readLog(this.#next)) this.accept(event);
  }

  /** false when nothing arrived within the silence. */
  #somethingArrives(silence: NodeJS.Timeout): Promise<boolean> {
    return new Promise((resolve) => {
      silence.refresh();
      this.#settle = resolve;
    });
  }
}
