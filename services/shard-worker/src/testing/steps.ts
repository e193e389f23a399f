import { GgmlType } from "@rhone/ggml";
import type { rhone } from "@rhone/proto";
import type { RunnableStage } from "../stage/stage.js";
import { readStep } from "../wire/read-step.js";
import type { Sampling, SequenceOpen, Span, StageOutput } from "../wire/step.js";

/** Runs a `Step` message as a stage's runner does: reads and checks it first. */
export async function runMessage(
  stage: RunnableStage,
  message: rhone.v1.Step.$Properties,
  activations: GgmlType = GgmlType.F32,
): Promise<StageOutput> {
  return stage.run(readStep(message, stage), activations);
}

/** Token ids as frames carry them: int32 little-endian. */
export const tokenBytes = (tokens: readonly number[]): Uint8Array => new Uint8Array(Int32Array.from(tokens).buffer);

/** Sampling on the wire that draws the most probable token, with everything else switched off. */
export const GREEDY = { temperature: 0, topP: 1, repetitionPenalty: 1 } as const;

/** One row of sequence 1 at position 0 of which nothing is wanted, changed by `changes`. */
export function span(changes: Partial<Span>): Span {
  return {
    sequence: 1,
    position: 0,
    count: 1,
    pages: [],
    firstPage: 0,
    sample: false,
    drafts: 0,
    targets: [],
    topTargets: 0,
    pool: false,
    ...changes,
  };
}

/** Sequence 1, which draws greedily and reports nothing, changed by `changes`. */
export function sequenceOpen({
  sampling,
  ...changes
}: Partial<Omit<SequenceOpen, "sampling">> & { readonly sampling?: Partial<Sampling> }): SequenceOpen {
  return {
    sequence: 1,
    sampling: { ...NEUTRAL, ...sampling },
    history: new Int32Array(),
    generated: new Int32Array(),
    constraint: null,
    owner: "",
    ...changes,
  };
}

const NEUTRAL: Sampling = {
  ...GREEDY,
  topK: 0,
  minP: 0,
  frequencyPenalty: 0,
  presencePenalty: 0,
  seed: 0,
  logitBias: { tokens: new Int32Array(), values: new Float32Array() },
  logprobs: null,
  banned: [],
  minPosition: 0,
};
