import type { LogitEdits } from "./edits.js";
import { indexOfMax, topLogprobs } from "./log-probs.js";
import { RankedRow } from "./ranked-row.js";
import { Weights } from "./weights.js";

/** One draw, described so that native code can make it as well. */
export interface DrawRequest {
  /** 0 takes the best token. */
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  /** In [0, 1). */
  readonly uniform: number;
  readonly edits: LogitEdits;
}

/** With a top_k up to this, the best tokens are listed first, which is faster than to rank all. */
const MOST_LISTED = 256;

/** log2(e) / temperature: what a difference of logits is multiplied by to get one of binary logarithms. */
export const factorOf = (temperature: number): number => Math.LOG2E / temperature;

/** What is added to the best logit to get the least that `minP` keeps. */
export const cutOf = ({ temperature, minP }: DrawRequest): number => temperature * Math.log(minP);

/**
 * The token that is drawn from logits which are edited already; -1 when none can be. rk_row_request in
 * packages/kernels/native/kernels.h defines it.
 */
export function drawToken(logits: Float32Array, request: DrawRequest): number {
  const id = indexOfMax(logits);
  if (id < 0 || request.temperature === 0) return id;
  const best = logits[id] as number;
  const weighing = { best, factor: factorOf(request.temperature), floor: best + cutOf(request) };
  const weights = new Weights(weighing, logits.length);
  const { topK, topP } = request;
  const isCut = (topK > 0 && topK < logits.length) || topP < 1;
  return isCut ? drawByLogit(logits, weights, request) : drawById(logits, weights, request.uniform);
}

function drawById(logits: Float32Array, weights: Weights, uniform: number): number {
  const total = weights.total(logits);
  if (!(total > 0)) return -1;
  let unit = unitAt(uniform, total);
  for (let id = 0; id < logits.length; id++) {
    const weight = weights.of(logits[id] as number);
    if (unit < weight) return id;
    unit -= weight;
  }
  return -1;
}

function drawByLogit(logits: Float32Array, weights: Weights, { topK, topP, uniform }: DrawRequest): number {
  const isCounted = topK > 0 && topK < logits.length;
  const ids = isCounted && topK <= MOST_LISTED ? idsOfBest(logits, topK) : undefined;
  const row = new RankedRow(ids === undefined ? logits : Float32Array.from(ids, (id) => logits[id] as number), weights);
  let kept = isCounted && ids === undefined ? row.sumThrough(row.ofRank(topK - 1)) : row.total;
  if (!(kept > 0)) return -1;
  if (topP < 1) kept = row.sumThrough(row.ofUnit(Math.max(0, Math.ceil(topP * kept) - 1)));
  const at = row.idAt(row.ofUnit(unitAt(uniform, kept)));
  return ids === undefined ? at : (ids[at] as number);
}

const idsOfBest = (logits: Float32Array, count: number): readonly number[] =>
  topLogprobs(logits, count, 0)
    .map(({ id }) => id)
    .sort((a, b) => a - b);

const unitAt = (uniform: number, total: number): number => Math.min(Math.floor(uniform * total), total - 1);
