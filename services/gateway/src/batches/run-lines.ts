import { RhoneError } from "@rhone/common";
import type { TextLine } from "../files/read-lines.js";

export interface LinesRun {
  readonly lines: AsyncGenerator<TextLine>;
  /** Numbers of lines to pass over. */
  readonly done: ReadonlySet<number>;
  readonly atOnce: number;
  /** Its signal stops the lines; a line that fails aborts it with SHUTTING_DOWN. */
  readonly stop: AbortController;
  readonly run: (line: TextLine) => Promise<void>;
}

/**
 * Runs lines, `atOnce` at a time; the next is read when one has ended. Ends when `stop` aborts. Rejects with the first
 * failure, after the other lines have ended.
 */
export async function runLines({ lines, done, atOnce, stop, run }: LinesRun): Promise<void> {
  const work = async () => {
    for (;;) {
      const next = await lines.next();
      if (next.done === true || stop.signal.aborted) return;
      if (!done.has(next.value.number)) await run(next.value);
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
