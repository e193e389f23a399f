import type { Sampling, SequenceOpen } from "../wire/step.js";

/** A sequence that draws greedily and reports nothing, changed by `changes`. */
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
    ...changes,
  };
}

const NEUTRAL: Sampling = {
  temperature: 0,
  topK: 0,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1,
  frequencyPenalty: 0,
  presencePenalty: 0,
  seed: 0,
  logitBias: new Map(),
  logprobs: null,
  banned: [],
  minPosition: 0,
};
