import type { TokenLogprob } from "@rhone/common";
import { type Pieces, tokenText } from "./logprobs.js";

/** Ranks count from 1; null for a token that is not among the alternatives asked for. */
interface PromptLogprob {
  readonly logprob: number;
  readonly rank: number | null;
  readonly decoded_token: string;
}

/** vLLM's `prompt_logprobs`: per prompt token its own and the best alternatives by token id; nothing comes before the first. */
export function promptLogprobs(
  model: Pieces,
  scores: readonly TokenLogprob[],
): (Record<string, PromptLogprob> | null)[] {
  const entry = (token: number, logprob: number, rank: number | null): [number, PromptLogprob] => [
    token,
    { logprob, rank, decoded_token: tokenText(model, token) },
  ];
  const written = scores.map(({ token, logprob, top }) => {
    const own = top.findIndex(([id]) => id === token);
    const alternatives = top.map(([id, value], index) => entry(id, value, index + 1));
    return Object.fromEntries([...alternatives, entry(token, logprob, own === -1 ? null : own + 1)]);
  });
  return [null, ...written];
}
