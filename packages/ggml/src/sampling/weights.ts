/** The weight of the best logit is 2 to the power of this: as great as n may have, that their sum stays below 2^53. */
const exponentOf = (n: number): number => 53 - Math.ceil(Math.log2(n));

/** Added and subtracted again, rounds small numbers to whole ones; the other, positive ones below 2^52. */
const [TO_WHOLE, TO_WHOLE_WEIGHT] = [1.5 * 2 ** 52, 2 ** 52];
/** Binary logarithms below this weigh nothing. */
const LEAST = -62;
const POWERS = Float64Array.from({ length: -LEAST + 1 }, (_, i) => 2 ** -i);

export interface Weighing {
  /** The greatest of the logits. */
  readonly best: number;
  /** log2(e) / temperature. */
  readonly factor: number;
  /** Logits below weigh nothing. */
  readonly floor: number;
}

/** Weights in proportion to the probabilities of logits in a distribution. */
export class Weights {
  readonly #best: number;
  readonly #factor: number;
  readonly #floor: number;
  readonly #one: number;

  constructor({ best, factor, floor }: Weighing, nVocab: number) {
    this.#best = best;
    this.#factor = factor;
    this.#floor = floor;
    this.#one = 2 ** exponentOf(nVocab);
  }

  /** The natural logarithm of the best logit's weight. */
  static logOfBest(nVocab: number): number {
    return exponentOf(nVocab) * Math.LN2;
  }

  /**
   * 2^((logit - best) factor) within 1e-11, times a power of two, then rounded to a whole number. Sums of whole numbers
   * are exact, so they are the same in any order, and the kernels' sums (packages/kernels/native/sampling) the same as
   * these. NaN and -Infinity weigh 0.
   */
  of(logit: number): number {
    const y = (logit - this.#best) * this.#factor;
    if (!(y > LEAST && logit >= this.#floor)) return 0;
    const whole = y + TO_WHOLE - TO_WHOLE;
    const f = y - whole;
    // 2^f for f in [-1/2, 1/2]: terms ln(2)^i / i! of the exponential series.
    let p = f * 1.0178086009239699e-7 + 1.321548679014431e-6;
    p = p * f + 1.5252733804059841e-5;
    p = p * f + 0.0001540353039338161;
    p = p * f + 0.0013333558146428443;
    p = p * f + 0.009618129107628477;
    p = p * f + 0.05550410866482158;
    p = p * f + 0.24022650695910072;
    p = p * f + Math.LN2;
    p = p * f + 1;
    return p * ((POWERS[-whole | 0] as number) * this.#one) + TO_WHOLE_WEIGHT - TO_WHOLE_WEIGHT;
  }

  total(logits: Float32Array): number {
    let total = 0;
    for (let i = 0; i < logits.length; i++) total += this.of(logits[i] as number);
    return total;
  }
}
