import { type DrawRequest, drawToken } from "./draw-token.js";
import { edit, isEdited } from "./edits.js";
import { logSoftmaxOf, logSumExp, type TokenLogprob, topLogprobs } from "./log-probs.js";

/** What is wanted of a row of logits. */
export interface RowRequest {
  /** The row, which no other request of the step names. */
  readonly row: number;
  /** Number of most probable tokens to list; undefined: no log-probabilities at all. */
  readonly alternatives: number | undefined;
  /** A token whose log-probability is wanted. */
  readonly target: number | undefined;
  readonly draw: DrawRequest | undefined;
}

/** Log-probabilities are natural logarithms, in the distribution of the row before edits; NaN when not asked for. */
export interface RowReading {
  /** The drawn token; -1 when none was asked for, or none can be drawn. */
  readonly token: number;
  readonly logprob: number;
  /** The target's. */
  readonly targetLogprob: number;
  /** Best first, the lower id first among equals. */
  readonly top: readonly TokenLogprob[];
}

/** logits: f32 [nVocab], borrowed and not changed. */
export function readRow(logits: Float32Array, { alternatives, target = -1, draw }: RowRequest): RowReading {
  const normalizer = alternatives === undefined ? Number.NaN : logSumExp(logits);
  const targetLogprob = logSoftmaxOf(logits, target, normalizer);
  const top = alternatives === undefined ? [] : topLogprobs(logits, alternatives, normalizer);
  const scores = draw !== undefined && isEdited(draw.edits) ? logits.slice() : logits;
  if (draw !== undefined && scores !== logits) edit(scores, draw.edits);
  const token = draw === undefined ? -1 : drawToken(scores, draw);
  return { token, logprob: logSoftmaxOf(logits, token, normalizer), targetLogprob, top };
}
