import { describe, expect, it } from "vitest";
import { chooseWorkerCount } from "./choose-worker-count.js";
import { smallModel } from "./testing/small-model.js";

const MB = 1e6;
/** 32 layers of 125 MB each, as Mistral 7B in 4 bits, and 400 MB around them. */
const weights = smallModel(32, { layer: 125 * MB, embedding: 100 * MB, head: 300 * MB });
const shape = { pageSize: 32, slidingWindow: 0, contextLength: 4096, maxRows: 512 };

function choose({
  cores = 8,
  memory = 16e9,
  memoryEach = null as number | null,
  threads = null as number | null,
} = {}) {
  return chooseWorkerCount({
    weights,
    shape,
    pageBytes: 131_072,
    maxSequences: 64,
    cores,
    threadsOf: (workers) => threads ?? Math.max(1, Math.floor(cores / workers)),
    memoryOf: (workers) => memoryEach ?? memory / workers,
  });
}

describe("chooseWorkerCount", () => {
  it("gives one worker all cores, since more share them and add hops", () => {
    for (const cores of [1, 2, 7, 64]) {
      const { workers, least, other } = choose({ cores });
      expect([workers, least, other?.workers]).toEqual([1, 1, 2]);
      expect(other?.speed).toBeLessThanOrEqual(1);
    }
  });

  it("takes the fewest workers that hold the model where each has little memory", () => {
    // A layer takes 144 MB with its least pages: 6 of them fit, 6 beside the embedding and 4 beside the head.
    expect(choose({ cores: 6, memoryEach: 1e9 })).toMatchObject({ workers: 6, least: 6, other: { workers: 7 } });
    expect(choose({ cores: 2, memoryEach: 3e9 })).toMatchObject({ workers: 2, least: 2 });
  });

  it("uses the cores that a fixed number of threads leaves idle", () => {
    expect(choose({ cores: 2, threads: 1 })).toMatchObject({ workers: 2, least: 1, other: { workers: 1 } });
    expect(choose({ cores: 2, threads: 1 }).other?.speed).toBeLessThan(0.9);
    expect(choose({ cores: 4, threads: 1 }).workers).toBeGreaterThan(2);
    expect(choose({ cores: 2, threads: 2 }).workers).toBe(1);
  });

  it("says of a single worker what is missing when no number of them holds the model", () => {
    const refusal = {
      code: "NOT_ENOUGH_MEMORY",
      message: expect.stringMatching(/^The model does not fit: worker 1: /),
    };
    expect(() => choose({ memory: 2e9 })).toThrow(expect.objectContaining(refusal));
    expect(() => choose({ memoryEach: 1e8 })).toThrow(expect.objectContaining(refusal));
  });

  it("compares a model of one layer with nothing", () => {
    const one = smallModel(1);
    const request = { weights: one, shape, pageBytes: 1, maxSequences: 1, cores: 4 };
    const choice = chooseWorkerCount({ ...request, threadsOf: () => 4, memoryOf: () => 1e9 });
    expect(choice).toEqual({ workers: 1, least: 1, other: null });
  });
});
