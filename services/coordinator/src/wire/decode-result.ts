import { clipped, parseErrorCode, RhoneError, type TokenLogprob } from "@rhone/common";
import type { rhone } from "@rhone/proto";
import type { StepTimes } from "../scheduler/budget/step-costs.js";
import type { MicroBatch, PlannedSpan } from "../scheduler/micro-batch.js";

type SpanResult = rhone.v1.SpanResult.$Properties;

/** The last stage's results for one span. */
export interface SpanAnswer {
  readonly span: PlannedSpan;
  /** The drawn tokens: none unless the span samples, else one, plus one for each right draft; fewer with an `error`. */
  readonly tokens: readonly TokenLogprob[];
  /** One per scored row. */
  readonly scores: readonly TokenLogprob[];
  /** The sum of the rows' hidden states after the final norm, f32 [dim]; null unless the job asked for an embedding. */
  readonly pooled: Float32Array | null;
  /** Why the sequence's next token could not be drawn; null when it could, or none was asked for. */
  readonly error: RhoneError | null;
}

/**
 * The answers to a micro-batch, in the order of its spans. Throws STAGE_FAILED when the number of tokens or scores is
 * not the number that was asked for, a token is not of the vocabulary, a number is none, or a pooled vector is missing.
 */
export function decodeResult(
  batch: MicroBatch,
  result: rhone.v1.StepResult.$Properties,
  vocabSize: number,
): readonly SpanAnswer[] {
  const results = new Map((result.spans ?? []).map((span) => [span.sequence ?? 0, span]));
  return batch.spans.map((span) => decodeSpan(span, results.get(span.wireId), vocabSize));
}

/** An error that ends one sequence. */
export function decodeError(error: rhone.v1.SequenceError.$Properties | null | undefined): RhoneError | null {
  return error == null ? null : new RhoneError(parseErrorCode(error.code, "STAGE_FAILED"), clipped(error.message));
}

/** The stages' computing times, and what is left of `ranMs`, the time from sending the step to its result. */
export function decodeTimes(timings: readonly rhone.v1.StageTiming.$Properties[], ranMs: number): StepTimes {
  const stageMs = timings.map(({ computeUs }) => (computeUs ?? 0) / 1000);
  const accountedUs = timings.reduce((sum, { computeUs, queuedUs }) => sum + (computeUs ?? 0) + (queuedUs ?? 0), 0);
  return { stageMs, overheadMs: ranMs - accountedUs / 1000 };
}

function decodeSpan(span: PlannedSpan, result: SpanResult | undefined, vocabSize: number): SpanAnswer {
  const drawn = result?.tokens ?? [];
  const error = decodeError(result?.error);
  const [least, most] = span.sample ? [error === null ? 1 : 0, 1 + span.drafts.length] : [0, 0];
  if (drawn.length < least || drawn.length > most) {
    const rows = `positions ${span.position} to ${span.position + span.count - 1}`;
    throw new RhoneError(
      "STAGE_FAILED",
      `The last stage drew ${drawn.length} tokens for ${rows}; ${least} to ${most} were asked for.`,
    );
  }
  const scores = result?.scores ?? [];
  if (scores.length !== span.scored) {
    throw new RhoneError("STAGE_FAILED", `The last stage scored ${scores.length} of ${span.scored} prompt tokens.`);
  }
  const pooled = span.sequence.job.pooling === null ? null : decodeVector(result?.pooled);
  const decode = (score: rhone.v1.TokenScore.$Properties): TokenLogprob => decodeScore(score, vocabSize);
  return { span, tokens: drawn.map(decode), scores: scores.map(decode), pooled, error };
}

/** A copy, because the received bytes need not be aligned to 4. */
function decodeVector(bytes: Uint8Array | null | undefined): Float32Array {
  const size = Float32Array.BYTES_PER_ELEMENT;
  if (bytes != null && bytes.byteLength > 0 && bytes.byteLength % size === 0) {
    return new Float32Array(Uint8Array.from(bytes).buffer);
  }
  throw new RhoneError(
    "STAGE_FAILED",
    `The last stage pooled a span into ${bytes?.byteLength ?? 0} bytes, which is no vector of f32.`,
  );
}

function decodeScore(score: rhone.v1.TokenScore.$Properties, vocabSize: number): TokenLogprob {
  const topLogprobs = score.topLogprobs ?? [];
  const top = (score.topTokens ?? []).map((token, index) => [token, topLogprobs[index] ?? 0] as const);
  const [token, logprob] = [score.token ?? 0, score.logprob ?? 0];
  for (const [each, itsLogprob] of [[token, logprob] as const, ...top]) checkScore(each, itsLogprob, vocabSize);
  return { token, logprob, top };
}

/** A worker that answers with a token of no vocabulary must not end this process. */
function checkScore(token: number, logprob: number, vocabSize: number): void {
  if (token >= 0 && token < vocabSize && !Number.isNaN(logprob)) return;
  throw new RhoneError(
    "STAGE_FAILED",
    `The last stage answered with token ${token} and log-probability ${logprob}; the vocabulary has ${vocabSize}.`,
  );
}
