export interface ConditionWait {
  /** Ends the wait; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Longest wait in milliseconds; no limit when absent. */
  readonly withinMs?: number;
}

/**
 * A condition variable that loses no wake-up. Read `version`, then the state, then wait for a change after that
 * version: a change between the reading and the wait ends the wait at once.
 */
export class Condition {
  #version = 0;
  readonly #waiters = new Set<() => void>();

  /** The number of changes so far. */
  get version(): number {
    return this.#version;
  }

  /** Records a change and wakes every waiter. */
  notify(): void {
    this.#version++;
    for (const wake of this.#waiters) wake();
  }

  /** Resolves with true once `notify` has run after `version` was read; with false when `withinMs` has passed first. */
  changedSince(version: number, { signal, withinMs }: ConditionWait = {}): Promise<boolean> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      if (this.#version !== version) return resolve(true);
      const settle = (act: () => void): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", aborted);
        this.#waiters.delete(changed);
        act();
      };
      const changed = (): void => settle(() => resolve(true));
      const aborted = (): void => settle(() => reject(signal?.reason));
      const timer = withinMs === undefined ? undefined : setTimeout(() => settle(() => resolve(false)), withinMs);
      signal?.addEventListener("abort", aborted, { once: true });
      this.#waiters.add(changed);
    });
  }
}
