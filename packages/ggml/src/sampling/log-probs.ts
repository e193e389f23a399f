import { expOfNegative } from "./exp-of-negative.js";

export interface TokenLogprob {
  readonly id: number;
  /** Natural logarithm of the probability. */
  readonly logprob: number;
}

/** log Σ exp(logits): what turns a logit into a log-probability. */
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

/** The log-probability of `token`. Pass `normalizer`, logSumExp(logits), to ask for several at the cost of one. */
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

/** Keeps `best` in falling order; a newcomer goes behind its equals. */
function insert(best: TokenLogprob[], entry: TokenLogprob): void {
  const at = best.findIndex(({ logprob }) => logprob < entry.logprob);
  best.splice(at === -1 ? best.length : at, 0, entry);
}
