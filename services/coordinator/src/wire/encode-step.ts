import { biasBytes, type Constraint } from "@rhone/common";
import type { rhone } from "@rhone/proto";
import type { MicroBatch, OpenedSequence, PlannedSpan } from "../scheduler/micro-batch.js";
import type { Sequence } from "../scheduler/sequence.js";

type Step = rhone.v1.Step.$Properties;
type Span = rhone.v1.Span.$Properties;
type Sampling = rhone.v1.Sampling.$Properties;

/**
 * The `Step` message of a micro-batch, for stage 0. It copies from the sequences, which may change while it is in
 * flight.
 */
export function encodeStep(batch: MicroBatch, endTokens: ReadonlySet<number>): Step {
  const tokens = new Int32Array(batch.rows);
  let row = 0;
  for (const { sequence, position, count, drafts } of batch.spans) {
    const known = count - drafts.length;
    // Of a carried row no token is known: its place stays 0.
    tokens.set(sequence.tokens(position, position + known), row);
    tokens.set(drafts, row + known);
    row += count;
  }
  return {
    copies: batch.copies.map(({ from, to }) => ({ from, to })),
    opens: batch.opens.map((opened) => encodeOpen(opened, endTokens)),
    spans: batch.spans.map(encodeSpan),
    closes: [...batch.closes],
    tokens: int32Bytes(tokens),
  };
}

function encodeSpan(span: PlannedSpan): Span {
  const { sequence, position, count, scored } = span;
  return {
    sequence: span.wireId,
    position,
    count,
    pages: [...span.pages],
    firstPage: span.firstPage,
    sample: span.sample,
    drafts: span.drafts.length,
    carried: span.carried,
    pool: sequence.job.pooling !== null,
    targets: scored === 0 ? [] : [...sequence.tokens(position + 1, position + 1 + scored)],
    topTargets: scored === 0 ? 0 : (sequence.job.promptLogprobs ?? 0),
  };
}

function encodeOpen(
  { sequence, wireId }: OpenedSequence,
  endTokens: ReadonlySet<number>,
): rhone.v1.SequenceOpen.$Properties {
  const { job, promptLength, length } = sequence;
  const penalizesPrompt = job.sampling.repetitionPenalty !== 1;
  return {
    sequence: wireId,
    sampling: encodeSampling(sequence, endTokens),
    history: int32Bytes(penalizesPrompt ? sequence.tokens(0, promptLength) : new Int32Array()),
    generated: int32Bytes(sequence.tokens(promptLength, length)),
    owner: job.keyId,
    ...(job.constraint !== null && {
      constraint: { ...encodeConstraint(job.constraint), lastPosition: promptLength + job.maxTokens - 1 },
    }),
  };
}

const encodeConstraint = ({ grammar, trigger, otherwise }: Constraint): rhone.v1.Constraint.$Properties => ({
  grammar,
  trigger: trigger ?? 0,
  otherwise: otherwise ?? "",
});

function encodeSampling({ job, promptLength }: Sequence, endTokens: ReadonlySet<number>): Sampling {
  const { sampling, minTokens } = job;
  const bias = biasBytes(sampling.logitBias);
  const ends = minTokens === 0 ? [] : [...(job.ignoreEos ? [] : endTokens), ...job.stopTokenIds];
  return {
    temperature: sampling.temperature,
    topK: sampling.topK,
    topP: sampling.topP,
    minP: sampling.minP,
    repetitionPenalty: sampling.repetitionPenalty,
    frequencyPenalty: sampling.frequencyPenalty,
    presencePenalty: sampling.presencePenalty,
    seed: sampling.seed,
    biasTokens: bias.tokens,
    biasValues: bias.values,
    logprobs: job.logprobs !== null,
    topLogprobs: job.logprobs ?? 0,
    bannedUntilMin: ends,
    // The row at position p draws the token at p + 1. With a prompt of 5 tokens, row 4 draws the first generated token;
    // with minTokens 2, rows 4 and 5 may not draw an end token: those below minPosition 5 + 2 - 1 = 6.
    minPosition: minTokens === 0 ? 0 : promptLength + minTokens - 1,
  };
}

/** int32 little-endian, the byte order of every platform that Node runs on. A copy. */
function int32Bytes(values: Int32Array): Uint8Array {
  return new Uint8Array(values.buffer.slice(values.byteOffset, values.byteOffset + values.byteLength));
}
