import { type Connection, type StreamRecord, TokenStream } from "./token-stream.js";

export interface Load extends Connection {
  /** One stream each. */
  readonly prompts: readonly (readonly number[])[];
  readonly maxTokens: number;
  readonly cache: boolean;
  /** Every stream has its first token. */
  readonly onAllDecoding?: () => void;
  /** The first stream has its last token. */
  readonly onFirstEnd?: () => void;
}

/** Sends all streams at once and waits for the last. Rejects with the first failure and hangs up the others. */
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
