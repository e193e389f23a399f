import type { DraftCounts } from "@rhone/common";

/** Counts drafts by their place behind the known token. */
export class DraftTally {
  #rounds = 0;
  readonly #guessed: number[] = [];
  readonly #right: number[] = [];

  /** A sequence had `guessed` drafts in a step, of which the first `right` were right. */
  add(guessed: number, right: number): void {
    if (guessed === 0) return;
    this.#rounds++;
    for (let place = 0; place < guessed; place++) {
      this.#guessed[place] = (this.#guessed[place] ?? 0) + 1;
      this.#right[place] = (this.#right[place] ?? 0) + (place < right ? 1 : 0);
    }
  }

  get counts(): DraftCounts {
    return { rounds: this.#rounds, guessed: [...this.#guessed], right: [...this.#right] };
  }
}
