import { RhoneError } from "../errors/rhone-error.js";

export interface FairWaitersOptions<T = unknown> {
  /** Most that may wait; default: any number. */
  readonly most?: number;
  /**
   * The error of an item that can't wait; `why`: "64 requests are waiting", "After 500 ms, 1 request is waiting".
   * Needed where the number or the time is bounded.
   */
  readonly busy?: (why: string, item: T) => RhoneError;
}

export interface Wait<T> {
  readonly owner: string;
  readonly item: T;
  /** How long it may wait, in milliseconds; default: as long as it takes. */
  readonly withinMs?: number;
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
  readonly #busy: (why: string, item: T) => RhoneError;
  /** The waiting items of each owner, the owner whose turn it is first. */
  readonly #waiting = new Map<string, Set<Waiting<T>>>();
  #count = 0;

  constructor({ most = Number.POSITIVE_INFINITY, busy = unnamed }: FairWaitersOptions<T> = {}) {
    this.#most = most;
    this.#busy = busy;
  }

  /** Resolves when `next` chooses the item. Throws `busy` for too many or too long, and `signal`'s reason. */
  wait({ owner, item, withinMs = Number.POSITIVE_INFINITY, signal }: Wait<T>): Promise<void> {
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
      this.#waiting.set(owner, (this.#waiting.get(owner) ?? new Set()).add(waiting));
      this.#count++;
      if (this.#count > this.#most) this.#shorten();
    });
  }

  /**
   * Lets the first item go for which `mayGo` is true (default: any), in the order of the owners' turns; its owner goes
   * to the end of the line. False when there is none.
   */
  next(mayGo: (item: T) => boolean = () => true): boolean {
    for (const [owner, theirs] of this.#waiting) {
      for (const waiting of theirs) {
        if (!mayGo(waiting.item)) continue;
        waiting.go();
        this.#waiting.delete(owner);
        if (theirs.size > 0) this.#waiting.set(owner, theirs);
        return true;
      }
    }
    return false;
  }

  /** Nobody waits any more: each gets `reason`. */
  refuseAll(reason: RhoneError): void {
    for (const theirs of [...this.#waiting.values()]) for (const waiting of theirs) waiting.refuse(reason);
  }

  #expire(waiting: Waiting<T>, withinMs: number): void {
    waiting.refuse(this.#busy(`After ${withinMs} ms, ${waitingText(this.#count)}`, waiting.item));
  }

  /** Refuses the last item of the owner who has the most. */
  #shorten(): void {
    let longest: ReadonlySet<Waiting<T>> = new Set();
    for (const theirs of this.#waiting.values()) if (theirs.size >= longest.size) longest = theirs;
    const last = [...longest].at(-1);
    last?.refuse(this.#busy(waitingText(this.#most), last.item));
  }

  #remove(owner: string, gone: Waiting<T>): void {
    const left = this.#waiting.get(owner);
    left?.delete(gone);
    if (left?.size === 0) this.#waiting.delete(owner);
    this.#count--;
  }
}

const unnamed = (why: string): RhoneError => new RhoneError("INTERNAL", `${why}.`);

const waitingText = (count: number): string => (count === 1 ? "1 request is waiting" : `${count} requests are waiting`);
