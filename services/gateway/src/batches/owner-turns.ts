export interface WaitingBatch {
  readonly id: string;
  readonly owner: string;
}

/** Whose batch runs next: owners take turns, so that one's thousand batches delay another's first by one at most. */
export class OwnerTurns {
  /** The number of each owner's last turn. Owners are the names of API keys, so they are few. */
  readonly #last = new Map<string, number>();
  #turns = 0;

  /** The first batch of the owner whose last turn is longest ago, of those for whom `mayRun` is true. */
  next(waiting: readonly WaitingBatch[], mayRun: (owner: string) => boolean): WaitingBatch | undefined {
    let next: WaitingBatch | undefined;
    for (const batch of waiting) {
      const isEarlier = next === undefined || this.#lastOf(batch) < this.#lastOf(next);
      if (isEarlier && mayRun(batch.owner)) next = batch;
    }
    return next;
  }

  hadTurn(owner: string): void {
    this.#last.set(owner, ++this.#turns);
  }

  #lastOf({ owner }: WaitingBatch): number {
    return this.#last.get(owner) ?? 0;
  }
}
