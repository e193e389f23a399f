import type { Usage } from "@rhone/common";

/** Sums the usage of a request's choices; each prompt counts once however many samples it has. */
export class UsageCount {
  readonly #samples: number;
  #prompt = 0;
  #completion = 0;
  #cached = 0;

  constructor(samples: number) {
    this.#samples = samples;
  }

  add(choice: number, usage: Usage): void {
    this.#completion += usage.completionTokens;
    if (choice % this.#samples !== 0) return;
    this.#prompt += usage.promptTokens;
    this.#cached += usage.cachedTokens;
  }

  toJson() {
    return {
      ...usageOf(this.#prompt, this.#completion),
      prompt_tokens_details: { cached_tokens: this.#cached },
    };
  }
}

/** OpenAI's usage object, without what is known only at the end. */
export const usageOf = (prompt: number, completion: number) => ({
  prompt_tokens: prompt,
  completion_tokens: completion,
  total_tokens: prompt + completion,
});
