import { ownTurn } from "../turns.js";

/**
 * A read that callers share. Those who ask while one is under way get the next, which begins after they asked, so that
 * each sees what was written before. Each goes on in a turn of its own.
 */
export class SharedRead<T> {
  readonly #read: () => Promise<T>;
  #current: Promise<T> | undefined;
  #next: Promise<T> | undefined;

  constructor(read: () => Promise<T>) {
    this.#read = read;
  }

  async get(): Promise<T> {
    const value = await this.#share();
    await ownTurn();
    return value;
  }

  #share(): Promise<T> {
    if (this.#current === undefined) return this.#begin();
    this.#next ??= this.#current.then(
      () => this.#begin(),
      () => this.#begin(),
    );
    return this.#next;
  }

  #begin(): Promise<T> {
    this.#next = undefined;
    const current = this.#read().finally(() => {
      // The next one may have begun already.
      if (this.#current === current) this.#current = undefined;
    });
    this.#current = current;
    return current;
  }
}
