import type { Weights } from "./weights.js";

/** A token's place by falling logit: of the tokens with this key, the one that has `equals` others before it. */
export interface Place {
  readonly key: number;
  readonly equals: number;
}

/** Digits of a key, the first ones first: bits, and how many bits follow. */
const DIGITS = [
  [11, 21],
  [11, 10],
  [10, 0],
] as const;
const KEY_BITS = 32;
const SIGN = 0x80000000;

/**
 * A row's tokens by falling logit, the lower id first among equals. It is never sorted: digit by digit, weights or
 * tokens are added up by the keys of their logits until it is plain which key a place has.
 */
export class RankedRow {
  /** They order as the logits do: 0 as great as -0, NaN least. */
  readonly #keys: Uint32Array;
  readonly #weights: Float64Array;

  constructor(logits: Float32Array, weights: Weights) {
    this.#keys = keysOf(logits);
    this.#weights = new Float64Array(logits.length);
    for (let id = 0; id < logits.length; id++) this.#weights[id] = weights.of(logits[id] as number);
  }

  get total(): number {
    let total = 0;
    for (let id = 0; id < this.#weights.length; id++) total += this.#weights[id] as number;
    return total;
  }

  /** The place of the token that has `rank` others before it. */
  ofRank(rank: number): Place {
    return this.#find(rank, () => 1);
  }

  /** The place of the token that has unit `unit` of all weights. */
  ofUnit(unit: number): Place {
    const weights = this.#weights;
    return this.#find(unit, (id) => weights[id] as number);
  }

  /** The sum of the weights up to a place, itself included. */
  sumThrough({ key, equals }: Place): number {
    const [keys, weights] = [this.#keys, this.#weights];
    let sum = 0;
    for (let id = 0; id < keys.length; id++) if ((keys[id] as number) > key) sum += weights[id] as number;
    return sum + (equals + 1) * (weights[keys.indexOf(key)] ?? 0);
  }

  idAt({ key, equals }: Place): number {
    const keys = this.#keys;
    let id = keys.indexOf(key);
    for (let before = 0; before < equals; before++) id = keys.indexOf(key, id + 1);
    return id;
  }

  #find(target: number, weightOf: (id: number) => number): Place {
    const keys = this.#keys;
    let left = target;
    let prefix = 0;
    for (const [bits, rest] of DIGITS) {
      const bins = new Float64Array(2 ** bits);
      const above = bits + rest;
      for (let id = 0; id < keys.length; id++) {
        const key = keys[id] as number;
        if (above < KEY_BITS && key >>> above !== prefix) continue;
        const digit = (key >>> rest) & (bins.length - 1);
        bins[digit] = (bins[digit] as number) + weightOf(id);
      }
      let digit = bins.length - 1;
      while (digit > 0 && left >= (bins[digit] as number)) left -= bins[digit--] as number;
      prefix = ((prefix << bits) | digit) >>> 0;
    }
    return { key: prefix, equals: Math.floor(left / weightOf(keys.indexOf(prefix))) };
  }
}

function keysOf(logits: Float32Array): Uint32Array {
  const values = new Float32Array(logits.length);
  const words = new Uint32Array(values.buffer);
  for (let id = 0; id < words.length; id++) {
    values[id] = (logits[id] as number) + 0;
    const word = words[id] as number;
    words[id] = Number.isNaN(logits[id]) ? 0 : word >= SIGN ? ~word : word | SIGN;
  }
  return words;
}
