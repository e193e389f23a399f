import type { ErrorCode } from "../errors/error-table.js";

/** One token's log-probability (natural log, of the unmodified distribution) and its best alternatives, best first. */
export interface TokenLogprob {
  readonly token: number;
  readonly logprob: number;
  readonly top: readonly (readonly [token: number, logprob: number])[];
}

export interface Usage {
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** Prompt tokens whose K/V came from the prefix cache. */
  readonly cachedTokens: number;
}

export type Finish =
  | { readonly reason: "stop" /** The stop string or end token that matched. */; readonly matched: string | number }
  | { readonly reason: "length" }
  | { readonly reason: "cancelled" }
  | { readonly reason: "error"; readonly code: ErrorCode; readonly message: string };

/**
 * One entry of a request's token log, written to Redis before it is announced.
 * A request's events carry ordinals 0, 1, 2, …; the one with `finish` is the last. Those that were written together are joined.
 */
export interface GenerationEvent {
  readonly requestId: string;
  readonly ordinal: number;
  /** It stands for so many events, those of ordinals `ordinal` to `ordinal + joins - 1`; 1 when absent. */
  readonly joins?: number;
  readonly tokens: readonly number[];
  /** Text that became certain: held back while a character or a stop string may still be incomplete. */
  readonly text: string;
  /** One per token, when asked for. */
  readonly logprobs?: readonly TokenLogprob[];
  /** On the first event when asked for: one per prompt token after the first. */
  readonly promptLogprobs?: readonly TokenLogprob[];
  /** With `finish` when asked for: the prompt's pooled vector, L2-normalised; base64 of f32 little-endian [dim]. */
  readonly embedding?: string;
  readonly finish?: Finish;
  /** With `finish`. */
  readonly usage?: Usage;
}

/** The ordinal of the event that follows `event`. */
export const ordinalAfter = ({ ordinal, joins = 1 }: GenerationEvent): number => ordinal + joins;
