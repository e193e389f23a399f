import { Weights } from "./weights.js";

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
  const best = logits[indexOfMax(logits)] ?? Number.NEGATIVE_INFINITY;
  const weights = new Weights({ best, factor: Math.LOG2E, floor: Number.NEGATIVE_INFINITY }, logits.length);
  return normalizerOf({ best, total: weights.total(logits), nVocab: logits.length });
}

/** log Σ exp(logits), of the greatest of them and the sum of their weights. */
export function normalizerOf(sum: { readonly best: number; readonly total: number; readonly nVocab: number }): number {
  const { best, total, nVocab } = sum;
  return best === Number.NEGATIVE_INFINITY ? best : best + (Math.log(total) - Weights.logOfBest(nVocab));
}

/** The log-probability of `token`. Pass logSumExp(logits) as `normalizer` to compute it once for several tokens. */
export const logSoftmaxOf = (logits: Float32Array, token: number, normalizer = logSumExp(logits)): number =>
  (logits[token] ?? Number.NaN) - normalizer;

/** The k most probable tokens, best first; the lower id first among equals. NaN is never among them. */
export function topLogprobs(logits: Float32Array, k: number, normalizer = logSumExp(logits)): TokenLogprob[] {
  const best: { readonly id: number; readonly logit: number }[] = [];
  for (let id = 0; id < logits.length && k > 0; id++) {
    const logit = logits[id] as number;
    const isBetter = best.length < k ? !Number.isNaN(logit) : logit > (best.at(-1)?.logit ?? logit);
    if (!isBetter) continue;
    const at = best.findIndex((other) => other.logit < logit);
    best.splice(at === -1 ? best.length : at, 0, { id, logit });
    if (best.length > k) best.pop();
  }
  return best.map(({ id, logit }) => ({ id, logprob: logit - normalizer }));
}
