import type { Agent } from "node:http";
import { type StreamRecord, TokenStream } from "./token-stream.js";

export interface Load {
  readonly agent: Agent;
  readonly url: string;
  readonly model: string;
  readonly apiKey?: string | undefined;
  /** One stream each. */
  readonly prompts: readonly (readonly number[])[];
  readonly maxTokens: number;
  readonly cache: boolean;
  readonly signal: AbortSignal;
  /** Every stream has its first token. */
  readonly onAllDecoding?: () => void;
  /** The first stream has its last token. */
  readonly onFirstEnd?: () => void;
}

/** Releases all streams together and waits for the last. Rejects with the first failure; the others are hung up then. */
export async function runStreams(load: Load): Promise<readonly StreamRecord[]> {
  const { prompts, maxTokens, onAllDecoding, onFirstEnd } = load;
  let waiting = prompts.length;
  let ended = false;
  const onToken = (count: number): void => {
    if (count === 1 && --waiting === 0) onAllDecoding?.();
    if (count < maxTokens || ended) return;
    ended = true;
    onFirstEnd?.();
  };
  const streams = prompts.map((prompt) => new TokenStream({ ...load, prompt, onToken }));
  for (const stream of streams) stream.send();
  try {
    return await Promise.all(streams.map(({ done }) => done));
  } catch (error) {
    for (const stream of streams) stream.leave();
    throw error;
  }
}
