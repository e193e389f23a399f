import { describe, expect, test } from "vitest";
import { llama } from "../architectures/llama.js";
import { type PlannedTensor, planTensors } from "../quantization/quantization.js";
import { qwenLike } from "../testing/qwen-like.js";
import { TINY_SHAPE } from "../testing/random-model.js";
import { RandomBytes, randomWeights } from "./random-weights.js";

const tensorOf = (role: string, architecture = llama, layer = 0): PlannedTensor => {
  const planned = planTensors({ ...TINY_SHAPE, architecture }, "f32", () => true);
  const tensor = planned.find((candidate) => candidate.role === role && (candidate.layer ?? layer) === layer);
  if (tensor === undefined) throw new Error(role);
  return tensor;
};

function numbersOf(tensor: PlannedTensor, shape: Partial<typeof TINY_SHAPE> = {}, seed = 1): Float32Array {
  const bytes = Buffer.concat([...randomWeights(tensor, { ...TINY_SHAPE, ...shape }, seed)]);
  return new Float32Array(Uint8Array.from(bytes).buffer);
}

const deviation = (numbers: Float32Array): number => {
  const mean = numbers.reduce((sum, value) => sum + value, 0) / numbers.length;
  return Math.sqrt(numbers.reduce((sum, value) => sum + (value - mean) ** 2, 0) / numbers.length);
};

describe("random weights", () => {
  test("are 1 in norms and 0 in biases", () => {
    expect(new Set(numbersOf(tensorOf("attnNorm")))).toEqual(new Set([1]));
    expect(new Set(numbersOf(tensorOf("attnVBias", qwenLike)))).toEqual(new Set([0]));
  });

  test.each([
    // dim 32, hidden 64, 2 layers; 3 is the spread of the logits.
    ["a matrix that reads the hidden state", "attnQ", {}, 1 / Math.sqrt(32)],
    ["a matrix that writes it, scaled down by the depth", "ffnDown", {}, 1 / Math.sqrt(64) / Math.sqrt(4)],
    ["the same in a deeper model", "ffnDown", { nLayers: 8 }, 1 / Math.sqrt(64) / Math.sqrt(16)],
    ["the embedding", "tokenEmbedding", {}, 1],
    ["an embedding that is the head too", "tokenEmbedding", { tiedEmbeddings: true }, 3 / Math.sqrt(32)],
    ["the head", "output", {}, 3 / Math.sqrt(32)],
  ])("of %s have the right spread", (_, role, shape, expected) => {
    const measured = deviation(numbersOf(tensorOf(role), shape));
    expect(measured / expected).toBeGreaterThan(0.93);
    expect(measured / expected).toBeLessThan(1.07);
  });

  test("differ from tensor to tensor and from seed to seed", () => {
    const first = numbersOf(tensorOf("attnK"));
    expect(numbersOf(tensorOf("attnK"))).toEqual(first);
    expect(numbersOf(tensorOf("attnV"))).not.toEqual(first);
    expect(numbersOf(tensorOf("attnK", llama, 1))).not.toEqual(first);
    expect(numbersOf(tensorOf("attnK"), {}, 2)).not.toEqual(first);
  });
});

test("random bytes go on where they stopped, however many are taken at once", () => {
  const whole = new RandomBytes("seed").take(new Uint8Array(100));
  const parts = new RandomBytes("seed");
  const joined = Buffer.concat([parts.take(new Uint8Array(33)), parts.take(new Uint8Array(67))]);
  expect(joined.equals(whole)).toBe(true);
});
