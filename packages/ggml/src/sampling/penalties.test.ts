import { describe, expect, it } from "vitest";
import { Penalties, type PenaltyOptions, penalize } from "./penalties.js";

const penalized = (options: PenaltyOptions, prompt: readonly number[], generated: readonly number[]) => {
  const penalties = new Penalties(options);
  for (const token of prompt) penalties.acceptPrompt(token);
  for (const token of generated) penalties.accept(token);
  const logits = Float32Array.of(2, -2, 0, 4);
  penalize(logits, penalties.edits);
  return [...logits];
};

describe("Penalties", () => {
  it.each([
    { name: "none", options: {}, prompt: [0, 1], generated: [2, 3], logits: [2, -2, 0, 4] },
    {
      name: "repetition, by sign",
      options: { repetitionPenalty: 2 },
      prompt: [0, 1],
      generated: [2],
      logits: [1, -4, 0, 4],
    },
    {
      name: "repetition once, however often",
      options: { repetitionPenalty: 2 },
      prompt: [0],
      generated: [0, 0],
      logits: [1, -2, 0, 4],
    },
    {
      name: "a repetition reward",
      options: { repetitionPenalty: 0.5 },
      prompt: [0, 1],
      generated: [],
      logits: [4, -1, 0, 4],
    },
    {
      name: "frequency, per occurrence",
      options: { frequencyPenalty: 0.5 },
      prompt: [3, 3],
      generated: [0, 0, 1],
      logits: [1, -2.5, 0, 4],
    },
    {
      name: "presence, once",
      options: { presencePenalty: 1 },
      prompt: [3],
      generated: [0, 0, 1],
      logits: [1, -3, 0, 4],
    },
    {
      name: "a negative presence",
      options: { presencePenalty: -1 },
      prompt: [],
      generated: [2],
      logits: [2, -2, 1, 4],
    },
    {
      name: "all together, repetition first",
      options: { repetitionPenalty: 2, frequencyPenalty: 0.5, presencePenalty: 1 },
      prompt: [1],
      generated: [0, 0, 3],
      logits: [-1, -4, 0, 0.5],
    },
    {
      name: "no token outside the vocabulary",
      options: { repetitionPenalty: 2, presencePenalty: 1 },
      prompt: [99],
      generated: [-1, 4],
      logits: [2, -2, 0, 4],
    },
  ])("apply $name", ({ options, prompt, generated, logits }) => {
    expect(penalized(options, prompt, generated)).toEqual(logits);
  });

  it.each([
    { options: {}, seen: 0, generated: 0 },
    { options: { repetitionPenalty: 1, frequencyPenalty: 0, presencePenalty: 0 }, seen: 0, generated: 0 },
    { options: { repetitionPenalty: 1.1 }, seen: 2, generated: 0 },
    { options: { frequencyPenalty: -0.1 }, seen: 0, generated: 1 },
    { options: { presencePenalty: 0.1 }, seen: 0, generated: 1 },
  ])("of $options keep $seen seen and $generated generated tokens, each once", ({ options, seen, generated }) => {
    const penalties = new Penalties(options);
    penalties.acceptPrompt(4);
    for (const token of [2, 2, 2]) penalties.accept(token);
    const { edits } = penalties;
    expect([edits.seen.length, edits.generated.length]).toEqual([seen, generated]);
  });
});
