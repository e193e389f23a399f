export interface TokenLogprob {
  readonly id: number;
  /** Natural logarithm of the probability. */
  readonly logprob: number;
}

/** log Σ exp(logits): what turns a logit into a log-probability. */
export function logSumExp(logits: Float32Array): number {
  let max = Number.NEGATIVE_INFINITY;
  for (const logit of logits) if (logit > max) max = logit;
  if (max === Number.NEGATIVE_INFINITY) return max;
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - max);
  return max + Math.log(sum);
}

/** The log-probability of `token`. Pass `normalizer`, logSumExp(logits), to ask for several at the cost of one. */
export const logSoftmaxOf = (logits: Float32Array, token: number, normalizer = logSumExp(logits)): number =>
  (logits[token] ?? Number.NaN) - normalizer;

/** The k most probable tokens, best first; the lower id first among equals. */
export function topLogprobs(logits: Float32Array, k: number, normalizer = logSumExp(logits)): TokenLogprob[] {
  const best: number[] = [];
  const value = (id: number) => logits[id] ?? Number.NEGATIVE_INFINITY;
  for (let id = 0; id < logits.length && k > 0; id++) {
    if (best.length === k && value(id) <= value(best[k - 1] ?? 0)) continue;
    let at = best.length;
    while (at > 0 && value(best[at - 1] ?? 0) < value(id)) at -= 1;
    best.splice(at, 0, id);
    if (best.length > k) best.pop();
  }
  return best.map((id) => ({ id, logprob: value(id) - normalizer }));
}
