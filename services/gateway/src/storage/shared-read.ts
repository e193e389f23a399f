import { ownTurn } from "../turns.js";

interface Reading<T> {
  readonly current: Promise<T>;
  next: Promise<T> | undefined;
}

/**
 * Reads that callers share by a key. Those who ask while one is under way get the next, which begins after they asked,
 * so that each sees what was written before. Each goes on in a turn of its own.
 */
export class SharedRead<T> {
  readonly #readings = new Map<string, Reading<T>>();

  /** `read` must read the same for the same key. */
  async get(key: string, read: () => Promise<T>): Promise<T> {
    const value = await this.#share(key, read);
    await ownTurn();
    return value;
  }

  #share(key: string, read: () => Promise<T>): Promise<T> {
    const reading = this.#readings.get(key);
    const begin = () => this.#begin(key, read);
    if (reading === undefined) return begin();
    reading.next ??= reading.current.then(begin, begin);
    return reading.next;
  }

  #begin(key: string, read: () => Promise<T>): Promise<T> {
    const current = read().finally(() => {
      // The next one may have begun already.
      if (this.#readings.get(key)?.current === current) this.#readings.delete(key);
    });
    this.#readings.set(key, { current, next: undefined });
    return current;
  }
}
