import type { LogitBias } from "@rhone/ggml";
import type { rhone } from "@rhone/proto";
import { checkToken, inRange, LEAST_F32, readFloats, readTokens, refuse } from "./malformed.js";
import type { Constraint, Sampling, SequenceOpen } from "./step.js";

const MOST_I32 = 2 ** 31 - 1;

/** Throws MESSAGE_MALFORMED, naming a field of `field`, for tokens outside the vocabulary and numbers out of range. */
export function readOpen(open: rhone.v1.SequenceOpen.$Properties, field: string, vocabSize: number): SequenceOpen {
  const { sampling, constraint } = open;
  return {
    sequence: open.sequence ?? 0,
    sampling: sampling == null ? refuse(`${field}.sampling`, "is missing") : readSampling(sampling, field, vocabSize),
    history: readTokens(open.history, `${field}.history`, vocabSize),
    generated: readTokens(open.generated, `${field}.generated`, vocabSize),
    constraint: constraint == null ? null : readConstraint(constraint, `${field}.constraint`, vocabSize),
    owner: open.owner ?? "",
  };
}

function readSampling(message: rhone.v1.Sampling.$Properties, open: string, vocabSize: number): Sampling {
  const field = (name: string): string => `${open}.sampling.${name}`;
  return {
    temperature: inRange(message.temperature ?? 0, field("temperature"), { least: 0 }),
    topK: inRange(message.topK ?? 0, field("top_k"), { least: 0, most: MOST_I32 }),
    topP: inRange(message.topP ?? 0, field("top_p"), { least: LEAST_F32, most: 1 }),
    minP: inRange(message.minP ?? 0, field("min_p"), { least: 0, most: 1 }),
    repetitionPenalty: inRange(message.repetitionPenalty ?? 0, field("repetition_penalty"), { least: LEAST_F32 }),
    frequencyPenalty: inRange(message.frequencyPenalty ?? 0, field("frequency_penalty")),
    presencePenalty: inRange(message.presencePenalty ?? 0, field("presence_penalty")),
    seed: message.seed ?? 0,
    logitBias: readBias(message, open, vocabSize),
    logprobs: message.logprobs
      ? inRange(message.topLogprobs ?? 0, field("top_logprobs"), { least: 0, most: vocabSize })
      : null,
    // An end token that the vocabulary lacks is never drawn anyway.
    banned: (message.bannedUntilMin ?? []).filter((token) => token < vocabSize),
    minPosition: message.minPosition ?? 0,
  };
}

function readBias(
  { biasTokens, biasValues }: rhone.v1.Sampling.$Properties,
  open: string,
  vocabSize: number,
): LogitBias {
  const tokens = readTokens(biasTokens, `${open}.sampling.bias_tokens`, vocabSize);
  const values = readFloats(biasValues, `${open}.sampling.bias_values`);
  if (values.length === tokens.length) return { tokens, values };
  return refuse(`${open}.sampling.bias_values`, `has ${values.length} values for ${tokens.length} bias_tokens`);
}

function readConstraint(
  { grammar, trigger, otherwise, lastPosition }: rhone.v1.Constraint.$Properties,
  field: string,
  vocabSize: number,
): Constraint {
  if (trigger) checkToken(trigger, `${field}.trigger`, vocabSize);
  return {
    grammar: grammar || refuse(`${field}.grammar`, "is empty"),
    trigger: trigger || null,
    otherwise: otherwise || null,
    lastPosition: lastPosition ?? 0,
  };
}
