import { RhoneError } from "@rhone/common";
import type { TextLine } from "../files/read-lines.js";

export interface LinesRun {
  readonly lines: AsyncGenerator<TextLine>;
  /** Numbers of lines to pass over. */
  readonly done: ReadonlySet<number>;
  readonly atOnce: number;
  /** Its signal stops the lines; a line that fails aborts it with SHUTTING_DOWN. */
  readonly stop: AbortController;
  /** Whether no more lines shall begin; those that run end. */
  readonly rests: () => boolean;
  readonly run: (line: TextLine) => Promise<void>;
}

/** Characters of lines that are in memory at a time, however many may run; a longer line runs alone. */
const MOST_CHARACTERS = 32 * 1024 * 1024;

/**
 * Runs lines, `atOnce` at a time and 32 Mi characters at most; the next is read when one has ended. Ends when `stop`
 * aborts, or behind the lines that run when it `rests`. Rejects with the first failure, after the other lines have
 * ended.
 */
export async function runLines({ lines, done, atOnce, stop, rests, run }: LinesRun): Promise<void> {
  const source = new LineSource(lines);
  const work = async () => {
    for (;;) {
      const line = await source.take();
      if (line === undefined || stop.signal.aborted || rests()) return;
      try {
        if (!done.has(line.number)) await run(line);
      } finally {
        source.give(line);
      }
    }
  };
  const workers = Array.from({ length: atOnce }, () =>
    work().catch((error: unknown) => {
      // The first failure stops the other lines, which end quietly; the next attempt finds their generations.
      const isFirst = !stop.signal.aborted;
      if (isFirst) stop.abort(new RhoneError("SHUTTING_DOWN", "The batch was interrupted.", { cause: error }));
      if (isFirst || error !== stop.signal.reason) throw error;
    }),
  );
  const ended = await Promise.allSettled(workers);
  await lines.return(undefined);
  for (const each of ended) if (each.status === "rejected") throw each.reason;
}

/** Hands out lines, one taker after another, while those in use have fewer characters than the most. */
class LineSource {
  readonly #lines: AsyncGenerator<TextLine>;
  #taking: Promise<unknown> = Promise.resolve();
  #inUse = 0;
  #given: () => void = () => {};

  constructor(lines: AsyncGenerator<TextLine>) {
    this.#lines = lines;
  }

  /** undefined after the last line. */
  take(): Promise<TextLine | undefined> {
    const next = this.#taking.then(() => this.#next());
    this.#taking = next.catch(() => {});
    return next;
  }

  give(line: TextLine): void {
    this.#inUse -= charactersOf(line);
    this.#given();
  }

  async #next(): Promise<TextLine | undefined> {
    while (this.#inUse >= MOST_CHARACTERS) {
      await new Promise<void>((resolve) => {
        this.#given = resolve;
      });
    }
    const { done, value } = await this.#lines.next();
    if (done === true) return undefined;
    this.#inUse += charactersOf(value);
    return value;
  }
}

const charactersOf = ({ text }: TextLine): number => text?.length ?? 0;
