import type { GenerationEvent, TokenLogprob } from "@rhone/common";

/** An event with one token, and an alternative of a token. */
const PLAIN_BYTES = 320;
const ALTERNATIVE_BYTES = 64;

/** About the bytes that an event takes in memory. */
export function eventBytes({ text, embedding = "", logprobs, promptLogprobs }: GenerationEvent): number {
  return PLAIN_BYTES + text.length + embedding.length + logprobBytes(logprobs) + logprobBytes(promptLogprobs);
}

const logprobBytes = (list: readonly TokenLogprob[] = []): number =>
  list.reduce((sum, { top }) => sum + ALTERNATIVE_BYTES * (1 + top.length), 0);
