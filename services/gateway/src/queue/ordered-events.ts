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
  #wake: () => void = () => {};

  constructor(options: OrderedEventsOptions) {
    this.#options = options;
  }

  accept(event: GenerationEvent): void {
    if (event.ordinal < this.#next) return;
    this.#arrived.set(event.ordinal, event);
    this.#wake();
  }

  /** Announcements may have been missed: read the log. */
  suspect(): void {
    this.#suspicious = true;
    this.#wake();
  }

  /** Ends after the event with `finish`; throws the signal's reason when it is aborted. One reader only. */
  async *events(signal: AbortSignal): AsyncGenerator<GenerationEvent, void, undefined> {
    while (true) {
      signal.throwIfAborted();
      const event = this.#take();
      if (event !== undefined) {
        yield event;
        if (event.finish !== undefined) return;
        continue;
      }
      const hasGap = this.#arrived.size > 0 || this.#suspicious;
      if (!hasGap && (await this.#somethingArrives(signal))) continue;
      signal.throwIfAborted();
      await this.#repair();
      // A log that could not be filled up to the gap is asked again after a while, not at once.
      if (!this.#arrived.has(this.#next) && hasGap) await this.#somethingArrives(signal);
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
  #somethingArrives(signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const done = (arrived: boolean) => {
        clearTimeout(timer);
        signal.removeEventListener("abort", wake);
        this.#wake = () => {};
        resolve(arrived);
      };
      const wake = () => done(true);
      const timer = setTimeout(() => done(false), this.#options.silenceMs);
      signal.addEventListener("abort", wake, { once: true });
      this.#wake = wake;
    });
  }
}
