import { RhoneError } from "@rhone/common/rhone-error";
import type { LlamaBindings } from "../bindings/llama.js";
import { native, type Pointer } from "../bindings/pointer.js";
import type { Engine } from "../native/engine.js";
import { Candidates } from "./candidates.js";
import { indexOfMax } from "./log-probs.js";
import { Penalties } from "./penalties.js";
import { checkRanges, type Draw, type LogitBias, type SamplerOptions } from "./sampling-options.js";
import { uniformAt } from "./uniform-at.js";

/** Below this temperature the most probable token is taken, as in vLLM. */
const GREEDY_TEMPERATURE = 1e-5;
/** Log of the least probability against the best token's: 128,000 tokens of e^-25 sum up to 2e-6, below f32 noise. */
const NEGLIGIBLE = -25;

/**
 * One sequence's sampler, in vLLM's order: logit bias, penalties, temperature, min_p, top_k, top_p, draw. Top-k and
 * top-p are libllama's sampler chain. The draw is Rhone's own, so that a replayed position draws the same number on any
 * machine.
 */
export class SamplerChain {
  readonly #llama: LlamaBindings;
  readonly #temperature: number;
  readonly #bias: LogitBias | undefined;
  readonly #penalties: Penalties;
  /** Log of the least probability, relative to the best token's, that is kept: min_p's, or the negligible one. */
  readonly #floor: number;
  /** Top-k and top-p; null when neither removes anything. */
  readonly #chain: Pointer | null;
  readonly #adjusted: Float32Array | undefined;
  readonly #candidates: Candidates | undefined;
  readonly #nVocab: number;
  #open = true;

  private constructor(llama: LlamaBindings, options: SamplerOptions) {
    const { nVocab, temperature = 1, minP = 0, logitBias } = options;
    const greedy = temperature < GREEDY_TEMPERATURE;
    this.#llama = llama;
    this.#nVocab = nVocab;
    this.#temperature = greedy ? 0 : temperature;
    this.#floor = Math.max(NEGLIGIBLE, Math.log(minP));
    this.#bias = logitBias;
    this.#penalties = new Penalties(options);
    if (this.#penalties.active) {
      for (const token of options.promptTokens ?? []) this.#penalties.acceptPrompt(token);
      for (const token of options.generatedTokens ?? []) this.#penalties.accept(token);
    }
    this.#chain = greedy ? null : cutsOf(llama, options, temperature);
    this.#adjusted =
      this.#penalties.active || (logitBias?.tokens.length ?? 0) > 0 ? new Float32Array(nVocab) : undefined;
    this.#candidates = greedy ? undefined : new Candidates(nVocab);
  }

  /** Throws INVALID_REQUEST naming a parameter whose value is out of range. */
  static open(engine: Engine, options: SamplerOptions): SamplerChain {
    checkRanges(options);
    return new SamplerChain(engine[native].llama(), options);
  }

  /** Draws a token. logits: f32 [nVocab], borrowed and not changed. Throws GGML_FAILED when none is a finite number. */
  sample(logits: Float32Array, { seed, position }: Draw): number {
    this.#check(logits);
    const scores = this.#adjust(logits);
    const token =
      this.#candidates === undefined
        ? indexOfMax(scores)
        : this.#draw(this.#candidates, scores, uniformAt(seed, position));
    if (token < 0)
      throw new RhoneError(
        "GGML_FAILED",
        `No token can be drawn at position ${position}: every logit is NaN or -Infinity.`,
      );
    return token;
  }

  /** Counts `token` as generated, for the penalties. */
  accept(token: number): void {
    this.#penalties.accept(token);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    if (this.#chain !== null) this.#llama.samplerFree(this.#chain);
  }

  #adjust(logits: Float32Array): Float32Array {
    if (this.#adjusted === undefined) return logits;
    this.#adjusted.set(logits);
    if (this.#bias !== undefined) addBias(this.#adjusted, this.#bias);
    this.#penalties.apply(this.#adjusted);
    return this.#adjusted;
  }

  #draw(candidates: Candidates, scores: Float32Array, uniform: number): number {
    const best = scores[indexOfMax(scores)] ?? Number.NEGATIVE_INFINITY;
    candidates.fill(scores, best + this.#temperature * this.#floor);
    if (candidates.count === 0) return -1;
    if (this.#chain === null) return candidates.draw(uniform, this.#temperature);
    this.#llama.samplerApply(this.#chain, candidates.array);
    return candidates.draw(uniform, 1);
  }

  #check(logits: Float32Array): void {
    if (!this.#open) throw new RhoneError("GGML_FAILED", "A sampler was used after it was closed.");
    if (logits.length === this.#nVocab) return;
    throw new RhoneError("GGML_FAILED", `The sampler takes ${this.#nVocab} logits; ${logits.length} were given.`);
  }
}

/** Changes `logits` in place. */
function addBias(logits: Float32Array, { tokens, values }: LogitBias): void {
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i] as number;
    if (token >= 0 && token < logits.length) logits[token] = (logits[token] as number) + (values[i] as number);
  }
}

function cutsOf(llama: LlamaBindings, { topK = 0, topP = 1 }: SamplerOptions, temperature: number): Pointer | null {
  if (topK <= 0 && topP >= 1) return null;
  const chain = llama.samplerChainInit({ no_perf: true });
  const add = (sampler: Pointer) => llama.samplerChainAdd(chain, sampler);
  if (temperature !== 1) add(llama.samplerInitTemp(temperature));
  if (topK > 0) add(llama.samplerInitTopK(topK));
  if (topP < 1) add(llama.samplerInitTopP(topP, 1));
  return chain;
}
