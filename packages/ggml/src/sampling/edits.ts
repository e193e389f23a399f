import { type PenaltyEdits, penalize } from "./penalties.js";
import type { LogitBias } from "./sampling-options.js";

/** Which tokens a draw may take. */
export interface AllowedTokens {
  /** A bit per token, i32 [ceil(nVocab / 32)]; undefined allows every token. */
  readonly allowed?: Int32Array | undefined;
  /** i32: tokens that are not allowed. */
  readonly banned?: Int32Array | undefined;
}

/** How a draw's logits differ from the model's. */
export interface LogitEdits extends AllowedTokens {
  readonly bias: LogitBias | undefined;
  readonly penalties: PenaltyEdits;
}

export function isEdited({ allowed, banned, bias, penalties }: LogitEdits): boolean {
  const lists = [banned, bias?.tokens, penalties.seen, penalties.generated];
  return allowed !== undefined || lists.some((list) => list !== undefined && list.length > 0);
}

/** Changes `logits` in place. */
export function edit(logits: Float32Array, { allowed, banned = new Int32Array(), bias, penalties }: LogitEdits): void {
  if (allowed !== undefined) keepAllowed(logits, allowed);
  for (const token of banned) if (token < logits.length) logits[token] = Number.NEGATIVE_INFINITY;
  if (bias !== undefined) addBias(logits, bias);
  penalize(logits, penalties);
}

function keepAllowed(logits: Float32Array, allowed: Int32Array): void {
  for (let token = 0; token < logits.length; token++) {
    if ((((allowed[token >> 5] ?? 0) >>> (token & 31)) & 1) === 0) logits[token] = Number.NEGATIVE_INFINITY;
  }
}

function addBias(logits: Float32Array, { tokens, values }: LogitBias): void {
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i] as number;
    if (token >= 0 && token < logits.length) logits[token] = (logits[token] as number) + (values[i] as number);
  }
}
