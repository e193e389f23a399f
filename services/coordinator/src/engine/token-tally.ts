import type { DraftCounts, TokenCounts } from "@rhone/common";

/** Tokens that an answer is expected to have before the first has ended, and the weight of the latest one. */
const FIRST_ANSWER_TOKENS = 100;
const ANSWER_WEIGHT = 0.1;

/** Counts tokens of all sequences, and drafts by their place behind the known token. */
export class TokenTally {
  readonly #tokens = { prompt: 0, cached: 0, generated: 0, drafted: 0, accepted: 0 };
  #rounds = 0;
  readonly #guessed: number[] = [];
  readonly #right: number[] = [];
  #answerTokens = FIRST_ANSWER_TOKENS;

  get tokens(): TokenCounts {
    return { ...this.#tokens };
  }

  get drafts(): DraftCounts {
    return { rounds: this.#rounds, guessed: [...this.#guessed], right: [...this.#right] };
  }

  /** Tokens of an answer, of which the latest count most. */
  get answerTokens(): number {
    return this.#answerTokens;
  }

  arrived(promptTokens: number): void {
    this.#tokens.prompt += promptTokens;
  }

  /** A sequence takes `generated` tokens that a step drew; of its `guessed` drafts the first `right` were right. */
  drew({ generated, guessed, right }: Readonly<Record<"generated" | "guessed" | "right", number>>): void {
    this.#tokens.generated += generated;
    this.#tokens.drafted += guessed;
    this.#tokens.accepted += right;
    if (guessed === 0) return;
    this.#rounds++;
    for (let place = 0; place < guessed; place++) {
      this.#guessed[place] = (this.#guessed[place] ?? 0) + 1;
      this.#right[place] = (this.#right[place] ?? 0) + (place < right ? 1 : 0);
    }
  }

  ended({ cached, generated }: Readonly<Record<"cached" | "generated", number>>): void {
    this.#tokens.cached += cached;
    if (generated > 0) this.#answerTokens += ANSWER_WEIGHT * (generated - this.#answerTokens);
  }
}
