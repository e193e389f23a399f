import type { ReferenceBatch } from "@rhone/ggml/reference";
import { expect, test } from "vitest";
import { measureBaseline } from "./measure-baseline.js";

const REQUEST = { sequences: 3, promptTokens: 5, maxTokens: 4, threads: 2, kvUnified: false, seed: 7 };

/** Records what is asked of llama.cpp. */
function fakeBatch() {
  const calls: (string | object)[] = [];
  const batch = {
    nVocab: 1000,
    begin: (shape: object) => calls.push({ begin: shape }),
    prefill: (prompts: readonly (readonly number[])[]) => calls.push({ prefill: prompts.map(({ length }) => length) }),
    step: () => calls.push("step"),
    reset: () => calls.push("reset"),
  };
  return { batch: batch as unknown as ReferenceBatch, calls };
}

test("all sequences are warmed up, reset, prefilled and decoded in step", () => {
  const { batch, calls } = fakeBatch();
  const figures = measureBaseline(batch, REQUEST);
  expect(calls).toEqual([
    { begin: { sequences: 3, positions: 10, threads: 2, kvUnified: false } },
    { prefill: [8, 8, 8] },
    ...["step", "step", "reset"],
    { prefill: [5, 5, 5] },
    ...["step", "step", "step"], // the prefill draws the first of four tokens
  ]);
  expect(figures.kvUnified).toBe(false);
  expect(figures.prefillTokensPerSecond).toBeGreaterThan(0);
  expect(figures.decodeTokensPerSecond).toBeGreaterThan(0);
});

test("there is room for prompt and answer when they are longer than the warm-up", () => {
  const { batch, calls } = fakeBatch();
  measureBaseline(batch, { ...REQUEST, promptTokens: 60, maxTokens: 40 });
  expect(calls[0]).toMatchObject({ begin: { positions: 100 } });
});
