import { type Dice, diceOf } from "./dice.js";

/** SentencePiece vocabularies have control and byte tokens below this id. */
const FIRST_TEXT_TOKEN = 260;

/** A source of prompts. */
export interface Prompts {
  prompt(length: number): readonly number[];
  prompts(count: number, length: number): readonly (readonly number[])[];
}

/** Token ids drawn evenly; the same seed gives the same ids on every machine. */
export class RandomPrompts implements Prompts {
  readonly #first: number;
  readonly #count: number;
  readonly #dice: Dice;

  constructor({ vocabSize, seed }: { readonly vocabSize: number; readonly seed: number }) {
    this.#first = Math.min(FIRST_TEXT_TOKEN, vocabSize >> 1);
    this.#count = vocabSize - this.#first;
    this.#dice = diceOf(seed);
  }

  prompt(length: number): readonly number[] {
    return Array.from({ length }, () => this.#first + Math.floor(this.#dice() * this.#count));
  }

  prompts(count: number, length: number): readonly (readonly number[])[] {
    return Array.from({ length: count }, () => this.prompt(length));
  }
}

/** Prompts that repeat the same random tokens `times` times: a trained model continues the repetition. */
export class RepeatingPrompts implements Prompts {
  readonly #random: Prompts;
  readonly #times: number;

  constructor(random: Prompts, times: number) {
    this.#random = random;
    this.#times = times;
  }

  prompt(length: number): readonly number[] {
    const once = this.#random.prompt(Math.max(1, Math.ceil(length / this.#times)));
    return Array.from({ length }, (_, index) => once[index % once.length] ?? 0);
  }

  prompts(count: number, length: number): readonly (readonly number[])[] {
    return Array.from({ length: count }, () => this.prompt(length));
  }
}
