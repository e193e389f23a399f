import { ComputeThread, type FairLineOptions, RhoneError, SharedThread } from "@rhone/common";
import type { EncoderOptions, Source } from "./encoder.js";

export interface EncodeLimits extends Pick<FairLineOptions, "most" | "withinMs"> {
  /** Longest processor time for one request's template and tokens, in milliseconds. */
  readonly timeoutMs: number;
}

export interface EncodeRequest {
  readonly source: Source;
  /** How many ids of each list are wanted, from its end; undefined: all. */
  readonly last: number | undefined;
}

export type EncoderThread = SharedThread<EncodeRequest, readonly Int32Array[]>;

/**
 * Encodes in a thread of its own, which borrows the vocabulary of this process: ending it at any time leaks none, and
 * waits for a native call of 0.21 s at most. Its errors are TEXTS_BUSY, TEXT_TOO_COSTLY and those of
 * `encode`.
 */
export function encoderThread(options: EncoderOptions, limits: EncodeLimits): EncoderThread {
  const failure = (why: string, cause?: unknown) =>
    new RhoneError("TEXT_TOO_COSTLY", `The chat template or the text is too costly: ${why}.`, { cause });
  const busy = (why: string) => new RhoneError("TEXTS_BUSY", `${why} for their texts to be tokenized; try again.`);
  const starved = (why: string) =>
    new RhoneError("TEXTS_BUSY", `The machine is too busy to tokenize the text: ${why}; try again.`);
  const module = new URL("./encoder-thread-main.bundle.js", import.meta.url);
  return new SharedThread({
    open: () => new ComputeThread({ module, data: options, failure, busy: starved }),
    line: { ...limits, busy },
  });
}
