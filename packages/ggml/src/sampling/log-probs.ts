export interface TokenLogprob {
  readonly id: number;
  /** Natural logarithm of the probability. */
  readonly logprob: number;
}

/** The index of the greatest number, the lowest among equals; -1 when every number is NaN or -Infinity. */
export function indexOfMax(values: Float32Array): number {
  let best = -1;
  let greatest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (value > greatest) {
      greatest = value;
      best = i;
    }
  }
  return best;
}

/** log Σ exp(logits): a logit minus this is a log-probability. */
export function logSumExp(logits: Float32Array): number {
  let max = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < logits.length; i++) {
    const logit = logits[i] as number;
    if (logit > max) max = logit;
  }
  if (max === Number.NEGATIVE_INFINITY) return max;
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += expOfNegative((logits[i] as number) - max);
  return max + Math.log(sum);
}

/** The log-probability of `token`. Pass logSumExp(logits) as `normalizer` to compute it once for several tokens. */
export const logSoftmaxOf = (logits: Float32Array, token: number, normalizer = logSumExp(logits)): number =>
  (logits[token] ?? Number.NaN) - normalizer;

/** The k most probable tokens, best first; the lower id first among equals. */
export function topLogprobs(logits: Float32Array, k: number, normalizer = logSumExp(logits)): TokenLogprob[] {
  const best: TokenLogprob[] = [];
  let least = Number.NEGATIVE_INFINITY;
  for (let id = 0; id < logits.length && k > 0; id++) {
    const logit = logits[id] as number;
    if (best.length === k && !(logit > least)) continue;
    insert(best, { id, logprob: logit - normalizer });
    if (best.length > k) best.pop();
    least = logits[best.at(-1)?.id ?? 0] as number;
  }
  return best;
}

/** Keeps `best` in falling order, a new entry after its equals. */
function insert(best: TokenLogprob[], entry: TokenLogprob): void {
  const at = best.findIndex(({ logprob }) => logprob < entry.logprob);
  best.splice(at === -1 ? best.length : at, 0, entry);
}

const STEPS_PER_UNIT = 64;
/** Below this, exp(x) adds nothing to a sum that contains a 1. */
const LEAST = -40;
const TABLE = Float64Array.from({ length: -LEAST * STEPS_PER_UNIT + 1 }, (_, i) => Math.exp(-i / STEPS_PER_UNIT));

/**
 * exp(x) for x <= 0 with a relative error under 3e-9, and 0 below -40. Several times as fast as Math.exp, which would
 * dominate the cost of a draw from 32,000 tokens.
 */
export function expOfNegative(x: number): number {
  if (!(x > LEAST)) return 0;
  const step = (-x * STEPS_PER_UNIT) | 0;
  const rest = x + step / STEPS_PER_UNIT;
  // rest is in (-1/64, 0]: four terms of the series leave rest⁴ / 24.
  return (TABLE[step] as number) * (1 + rest * (1 + rest * (0.5 + rest / 6)));
}
