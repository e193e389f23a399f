import { FairLine, RhoneError } from "@rhone/common";

/** Requests that read or write a few records at a time; 300 cancellations at once ended in one turn of the loop. */
const FEW_AT_ONCE = 16;
/** Records that are read at a time for a list, so that a long list does not fill the event loop with its answers. */
const AT_ONCE = 8;
/** Lists that read at a time: 300 at once read 2,400 records, in turns of 0.6 s. */
const LISTS = 4;
/** Requests of each kind that may wait; each holds its connection. */
const WAITING = 1024;

/** Whose request works with records. */
export interface Reader {
  readonly owner: string;
  /** Aborted when nobody waits for the records any more. */
  readonly leaving?: AbortSignal | undefined;
}

/**
 * Lets a few requests at a time work with records. Those that wait take turns by owner; where more than 1,024 wait,
 * the owner of the most gets GATEWAY_BUSY. Both methods throw the reason of `leaving` once that is aborted.
 */
export class InTurns {
  readonly #few = line(FEW_AT_ONCE);
  readonly #lists = line(LISTS);

  /** Runs `use`, which reads or writes a few records. It must not wait for another one. */
  few<T>({ owner, leaving }: Reader, use: () => Promise<T>): Promise<T> {
    return this.#few.run(owner, use, leaving);
  }

  /** `use` of every item of a list, in their order, a few at a time. It must not wait for another list. */
  async all<T, R>(items: readonly T[], use: (item: T) => Promise<R>, reader: Reader): Promise<readonly R[]> {
    const results: R[] = [];
    for (let at = 0; at < items.length; at += AT_ONCE) {
      const few = items.slice(at, at + AT_ONCE);
      results.push(...(await this.#lists.run(reader.owner, () => Promise.all(few.map(use)), reader.leaving)));
    }
    return results;
  }
}

function line(atOnce: number): FairLine {
  const busy = (why: string) => new RhoneError("GATEWAY_BUSY", `${why} for files or batches; try again shortly.`);
  return new FairLine({ atOnce, most: WAITING, busy });
}
