import type { TokenLogprob } from "@rhone/common";
import type { rhone } from "@rhone/proto";

/** A score as events carry it. */
export function decodeScore(score: rhone.v1.TokenScore.$Properties): TokenLogprob {
  const topLogprobs = score.topLogprobs ?? [];
  return {
    token: score.token ?? 0,
    logprob: score.logprob ?? 0,
    top: (score.topTokens ?? []).map((token, index) => [token, topLogprobs[index] ?? 0] as const),
  };
}
