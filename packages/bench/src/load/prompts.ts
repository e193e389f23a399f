/** SentencePiece vocabularies have control and byte tokens below this id. */
const FIRST_TEXT_TOKEN = 260;

/** A source of prompts. */
export interface Prompts {
  prompt(length: number): readonly number[];
  prompts(count: number, length: number): readonly (readonly number[])[];
}

/** Token ids drawn evenly; the same seed gives the same ids on every machine (mulberry32). */
export class RandomPrompts implements Prompts {
  readonly #first: number;
  readonly #count: number;
  #state: number;

  constructor({ vocabSize, seed }: { readonly vocabSize: number; readonly seed: number }) {
    this.#first = Math.min(FIRST_TEXT_TOKEN, vocabSize >> 1);
    this.#count = vocabSize - this.#first;
    this.#state = seed >>> 0;
  }

  prompt(length: number): readonly number[] {
    return Array.from({ length }, () => this.#first + Math.floor(this.#next() * this.#count));
  }

  prompts(count: number, length: number): readonly (readonly number[])[] {
    return Array.from({ length: count }, () => this.prompt(length));
  }

  #next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
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
