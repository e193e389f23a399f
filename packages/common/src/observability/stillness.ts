/**
 * Says for how many looks in a row a counter has not moved. Looks are counted, not seconds: a watcher that was itself
 * suspended or starved looks once when it wakes, so it blames nobody for the time that it missed.
 */
export class Stillness {
  #seen = Number.NaN;
  #looks = 0;

  /** The number of looks since `count` last moved, this one included; 0 when it has moved since the look before. */
  look(count: number): number {
    this.#looks = count === this.#seen ? this.#looks + 1 : 0;
    this.#seen = count;
    return this.#looks;
  }
}
