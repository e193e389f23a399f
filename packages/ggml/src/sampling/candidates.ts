import koffi from "koffi";
import { TOKEN_DATA_ARRAY_LAYOUT, TOKEN_DATA_LAYOUT } from "../bindings/llama.js";
import type { Pointer } from "../bindings/pointer.js";
import { expOfNegative } from "./log-probs.js";

const WORDS = TOKEN_DATA_LAYOUT.size / 4;

/** The tokens that may still be drawn with their logits: a `llama_token_data_array` in JavaScript memory. */
export class Candidates {
  readonly #ids: Int32Array;
  readonly #logits: Float32Array;
  readonly #weights: Float64Array;
  readonly #array = new DataView(new ArrayBuffer(TOKEN_DATA_ARRAY_LAYOUT.size));
  readonly #data: Pointer;

  constructor(nVocab: number) {
    const memory = new ArrayBuffer(nVocab * TOKEN_DATA_LAYOUT.size);
    this.#ids = new Int32Array(memory);
    this.#logits = new Float32Array(memory);
    this.#weights = new Float64Array(nVocab);
    this.#data = koffi.address(memory) as Pointer;
  }

  /** The structure for `llama_sampler_apply`. */
  get array(): DataView {
    return this.#array;
  }

  /** Takes every token whose logit is at least `floor` and above -Infinity, in the order of ids. */
  fill(logits: Float32Array, floor: number): void {
    const [ids, kept] = [this.#ids, this.#logits];
    let count = 0;
    for (let id = 0; id < logits.length; id++) {
      const logit = logits[id] as number;
      if (!(logit >= floor && logit > Number.NEGATIVE_INFINITY)) continue;
      ids[count * WORDS] = id;
      kept[count * WORDS + 1] = logit;
      count += 1;
    }
    this.#array.setBigUint64(TOKEN_DATA_ARRAY_LAYOUT.data, this.#data, true);
    this.#array.setBigUint64(TOKEN_DATA_ARRAY_LAYOUT.count, BigInt(count), true);
    this.#array.setBigInt64(TOKEN_DATA_ARRAY_LAYOUT.selected, -1n, true);
    this.#array.setUint8(TOKEN_DATA_ARRAY_LAYOUT.sorted, 0);
  }

  /** Number of tokens that are left. */
  get count(): number {
    return Number(this.#array.getBigUint64(TOKEN_DATA_ARRAY_LAYOUT.count, true));
  }

  /** The token at `uniform`, in [0, 1), of the distribution softmax(logits / temperature); -1 when no token is left. */
  draw(uniform: number, temperature: number): number {
    const total = this.#weigh(temperature);
    const [weights, count] = [this.#weights, this.count];
    let left = uniform * total;
    let chosen = -1;
    for (let i = 0; i < count; i++) {
      const weight = weights[i] as number;
      if (weight === 0) continue;
      chosen = i;
      left -= weight;
      if (left < 0) break;
    }
    return chosen < 0 ? -1 : (this.#ids[chosen * WORDS] ?? -1);
  }

  /** Turns the logits into weights and returns their sum. */
  #weigh(temperature: number): number {
    const [logits, weights, count] = [this.#logits, this.#weights, this.count];
    let max = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < count; i++) {
      const logit = logits[i * WORDS + 1] as number;
      if (logit > max) max = logit;
    }
    const inverse = 1 / temperature;
    let total = 0;
    for (let i = 0; i < count; i++) {
      const weight = expOfNegative(((logits[i * WORDS + 1] as number) - max) * inverse);
      weights[i] = weight;
      total += weight;
    }
    return total;
  }
}
