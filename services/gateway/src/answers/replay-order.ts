import { type GenerationEvent, unlessAborted } from "@rhone/common";
import { beyond, type StreamPosition } from "./stream-position.js";

type Events = AsyncGenerator<GenerationEvent, void, undefined>;

/**
 * The choices of a stream that is written again, so that their events come in the order in which the client got them:
 * first all that it has, of these the one it got last at the end, then the rest. So chunks that a writer adds to the
 * last choice to finish go where they went the first time. A choice waits for the others before its next event is
 * read, so nothing is held. Throws INVALID_REQUEST when a choice ends before the position, and its signal's reason.
 */
export function replayOrder(
  choices: readonly Events[],
  after: StreamPosition,
  signalOf: (choice: number) => AbortSignal,
): readonly Events[] {
  const order = new Order(after, signalOf);
  return choices.map((events, choice) => order.follow(choice, events));
}

class Order {
  readonly #after: StreamPosition;
  readonly #signalOf: (choice: number) => AbortSignal;
  /** Events that the client has, and that were not yielded yet. */
  #missing: number;
  readonly #onlyLastMissing = new Gate();
  readonly #noneMissing = new Gate();

  constructor(after: StreamPosition, signalOf: (choice: number) => AbortSignal) {
    this.#after = after;
    this.#signalOf = signalOf;
    this.#missing = after.taken.reduce((sum, count) => sum + count, 0);
    this.#openGates();
  }

  async *follow(choice: number, events: Events): Events {
    const had = this.#after.taken[choice] ?? 0;
    const passes = ({ opened }: Gate): Promise<void> => unlessAborted(opened, this.#signalOf(choice));
    try {
      for (let count = 1; count <= had; count++) {
        const { value, done } = await events.next();
        if (done === true) throw beyond(choice, this.#after, count - 1);
        if (count === had && choice === this.#after.choice) await passes(this.#onlyLastMissing);
        yield value;
        this.#missing--;
        this.#openGates();
      }
      await passes(this.#noneMissing);
      yield* events;
    } finally {
      await events.return();
    }
  }

  #openGates(): void {
    if (this.#missing <= 1) this.#onlyLastMissing.open();
    if (this.#missing === 0) this.#noneMissing.open();
  }
}

class Gate {
  open: () => void = () => {};
  readonly opened = new Promise<void>((resolve) => {
    this.open = resolve;
  });
}
