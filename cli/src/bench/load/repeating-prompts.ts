import type { Prompts } from "./random-prompts.js";

/** Prompts that say the same random tokens again and again: a trained model goes on repeating them. */
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
