import type { DrawRequest } from "./draw-token.js";
import type { AllowedTokens } from "./edits.js";
import { Penalties } from "./penalties.js";
import { checkRanges, type Draw, type SamplerOptions } from "./sampling-options.js";
import { uniformAt } from "./uniform-at.js";

/** Below this temperature the most probable token is taken, as in vLLM. */
const GREEDY_TEMPERATURE = 1e-5;

/**
 * One sequence's sampler, in vLLM's order: logit bias, penalties, temperature, min_p, top_k, top_p, draw. A draw
 * depends on nothing but logits, seed and position, so a replayed position draws the same token on any machine.
 */
export class Sampler {
  readonly #options: Omit<DrawRequest, "uniform" | "edits">;
  readonly #bias: SamplerOptions["logitBias"];
  readonly #penalties: Penalties;

  /** Throws INVALID_REQUEST naming a parameter whose value is out of range. */
  constructor(options: SamplerOptions) {
    checkRanges(options);
    const { temperature = 1, topK = 0, topP = 1, minP = 0 } = options;
    this.#options = { temperature: temperature < GREEDY_TEMPERATURE ? 0 : temperature, topK, topP, minP };
    this.#bias = options.logitBias;
    this.#penalties = new Penalties(options);
    for (const token of options.promptTokens ?? []) this.#penalties.acceptPrompt(token);
    for (const token of options.generatedTokens ?? []) this.#penalties.accept(token);
  }

  /** The next draw, for `RowReader`. Borrows the counts of tokens: make it before the next `accept`. */
  request({ seed, position }: Draw, only: AllowedTokens = {}): DrawRequest {
    const edits = { ...only, bias: this.#bias, penalties: this.#penalties.edits };
    return { ...this.#options, uniform: uniformAt(seed, position), edits };
  }

  /** Counts `token` as generated, for the penalties. */
  accept(token: number): void {
    this.#penalties.accept(token);
  }
}
