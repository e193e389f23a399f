import type { RhoneError } from "../errors/rhone-error.js";

export interface FairWaitersOptions {
  /** Most that may wait; default: any number. */
  readonly most?: number;
  /** The error of one that can't wait; `why`: "64 requests are waiting", "After 500 ms, 1 request is waiting". */
  readonly busy: (why: string) => RhoneError;
}

export interface Wait<T> {
  readonly owner: string;
  readonly item: T;
  /** How long it may wait, in milliseconds; Infinity: as long as it takes. */
  readonly withinMs: number;
  readonly signal?: AbortSignal | undefined;
}

interface Waiting<T> {
  readonly item: T;
  readonly go: () => void;
  readonly refuse: (reason: unknown) => void;
}

/**
 * Items that wait and take turns by owner. Where too many wait, the owner of the most has to go: nobody's many delay
 * another's few.
 */
export class FairWaiters<T> {
  readonly #most: number;
  readonly #busy: (why: string) => RhoneError;
  /** The waiting items of each owner, the owner whose turn it is first. */
  readonly #waiting = new Map<string, readonly Waiting<T>[]>();
  #count = 0;

  constructor({ most = Number.POSITIVE_INFINITY, busy }: FairWaitersOptions) {
    this.#most = most;
    this.#busy = busy;
  }

  /** Resolves when `next` chooses the item. Throws `busy` for too many or too long, and `signal`'s reason. */
  wait({ owner, item, withinMs, signal }: Wait<T>): Promise<void> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const leave = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
        this.#remove(owner, waiting);
      };
      const go = (): void => {
        leave();
        resolve();
      };
      const refuse = (reason: unknown): void => {
        leave();
        reject(reason);
      };
      const abort = (): void => refuse(signal?.reason);
      const waiting: Waiting<T> = { item, go, refuse };
      const timer = Number.isFinite(withinMs) ? setTimeout(() => this.#expire(waiting, withinMs), withinMs) : undefined;
      signal?.addEventListener("abort", abort);
      this.#waiting.set(owner, [...(this.#waiting.get(owner) ?? []), waiting]);
      this.#count++;
      if (this.#count > this.#most) this.#shorten();
    });
  }

  /**
   * Lets the first item go for which `mayGo` is true, in the order of the owners' turns; its owner goes to the end of
   * the line. False when there is none.
   */
  next(mayGo: (item: T) => boolean): boolean {
    for (const [owner, theirs] of this.#waiting) {
      const chosen = theirs.find(({ item }) => mayGo(item));
      if (chosen === undefined) continue;
      chosen.go();
      const left = this.#waiting.get(owner);
      this.#waiting.delete(owner);
      if (left !== undefined) this.#waiting.set(owner, left);
      return true;
    }
    return false;
  }

  /** Nobody waits any more: each gets `reason`. */
  refuseAll(reason: RhoneError): void {
    for (const waiting of [...this.#waiting.values()].flat()) waiting.refuse(reason);
  }

  #expire(waiting: Waiting<T>, withinMs: number): void {
    waiting.refuse(this.#busy(`After ${withinMs} ms, ${waitingText(this.#count)}`));
  }

  /** Refuses the last item of the owner who has the most. */
  #shorten(): void {
    let longest: readonly Waiting<T>[] = [];
    for (const theirs of this.#waiting.values()) if (theirs.length >= longest.length) longest = theirs;
    longest.at(-1)?.refuse(this.#busy(waitingText(this.#most)));
  }

  #remove(owner: string, gone: Waiting<T>): void {
    const left = (this.#waiting.get(owner) ?? []).filter((each) => each !== gone);
    if (left.length > 0) this.#waiting.set(owner, left);
    else this.#waiting.delete(owner);
    this.#count--;
  }
}

const waitingText = (count: number): string => (count === 1 ? "1 request is waiting" : `${count} requests are waiting`);
