import { type Frame, type RhoneError, toRhoneError } from "@rhone/common";
import type { rhone } from "@rhone/proto";
import type { SequenceReady, SpanResult, StageOutput, TokenScore } from "./step.js";
import { activationTypeOnWire } from "./tensor-types.js";

/**
 * The body of the frame that a stage sends on: the step that it received with its own activations in place of those it
 * read, or the results. Borrows the bytes of both.
 */
export function writeOutput(
  output: StageOutput,
  step: rhone.v1.Step.$Properties,
  timing: rhone.v1.StageTiming.$Properties,
): Pick<Frame, "stepBody" | "result"> {
  const timings = [...(step.timings ?? []), timing];
  if (output.kind === "results") return { result: { spans: output.spans.map(writeSpan), timings } };
  const { bytes: hidden, type } = output.hidden;
  return { stepBody: { ...step, hidden, hiddenType: activationTypeOnWire(type), timings } };
}

/** The body of the frame that takes a step's place when it failed. */
export function writeFailure(
  error: unknown,
  { worker, stage }: { readonly worker: string; readonly stage: number },
): Pick<Frame, "failure"> {
  const { code, message } = toRhoneError(error);
  return { failure: { code, message, worker, stage } };
}

/** The body of a probe that goes on with this worker's name at the end of its route. */
export const writeProbe = ({ workers }: rhone.v1.Probe.$Properties, worker: string): Pick<Frame, "probe"> => ({
  probe: { workers: [...(workers ?? []), worker] },
});

/** The body of the frame that says whether a sequence may draw. */
export const writeReady = ({ sequence, error }: SequenceReady): Pick<Frame, "ready"> => ({
  ready: { sequence, error: writeError(error) },
});

function writeSpan({ sequence, tokens, scores, pooled, error }: SpanResult): rhone.v1.SpanResult.$Properties {
  return {
    sequence,
    tokens: tokens.map(writeScore),
    scores: scores.map(writeScore),
    pooled: pooled && new Uint8Array(pooled.buffer, pooled.byteOffset, pooled.byteLength),
    error: writeError(error),
  };
}

const writeError = (error: RhoneError | null): rhone.v1.SequenceError.$Properties | null =>
  error && { code: error.code, message: error.message };

function writeScore({ token, logprob, top }: TokenScore): rhone.v1.TokenScore.$Properties {
  if (logprob === null) return { token };
  return {
    token,
    logprob,
    topTokens: top.map(([id]) => id),
    topLogprobs: top.map(([, value]) => value),
  };
}
