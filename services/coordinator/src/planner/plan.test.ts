import { describe, expect, it } from "vitest";
import { chooseWorkers } from "./choose-workers.js";
import { planPages } from "./plan-pages.js";
import { planStages } from "./plan-stages.js";

const weights = (nLayers: number, { layer = 10, embedding = 5, head = 6 } = {}) => ({
  layerBytes: new Array<number>(nLayers).fill(layer),
  embeddingBytes: embedding,
  headBytes: head,
  wholeBytes: nLayers * layer + embedding + head,
});
const workers = (...memory: number[]) => memory.map((memoryTotal, index) => ({ worker: `w${index}`, memoryTotal }));
const cut = (nLayers: number, ...memory: number[]) =>
  planStages(workers(...memory), weights(nLayers), 1).map(({ first, last }) => [first, last]);

describe("planStages", () => {
  it.each([
    [32, [1000], [[0, 32]]],
    [
      32,
      [1000, 1000],
      [
        [0, 16],
        [16, 32],
      ],
    ],
    [
      8,
      [1000, 1000, 1000],
      [
        [0, 3],
        [3, 6],
        [6, 8],
      ],
    ],
    [
      10,
      [3000, 1000],
      [
        [0, 8],
        [8, 10],
      ],
    ],
    [
      4,
      [100000, 100, 100, 100],
      [
        [0, 1],
        [1, 2],
        [2, 3],
        [3, 4],
      ],
    ],
    [
      3,
      [1000, 1000, 1000],
      [
        [0, 1],
        [1, 2],
        [2, 3],
      ],
    ],
    // 4 layers each would be equal, but the second holds only 3 with its head (11 each): it gives one away.
    [
      8,
      [60, 43],
      [
        [0, 5],
        [5, 8],
      ],
    ],
  ])("cuts %i layers over memories %j as %j", (nLayers, memory, expected) => {
    expect(cut(nLayers, ...memory)).toEqual(expected);
  });

  it("puts the embedding on the first stage and the head on the last", () => {
    const plan = planStages(workers(1000, 1000, 1000), weights(6), 1);
    expect(plan.map(({ embeds, heads }) => [embeds, heads])).toEqual([
      [true, false],
      [false, false],
      [false, true],
    ]);
    expect(plan.map((stage) => stage.weightBytes)).toEqual([25, 20, 26]);
  });

  it("says what each worker needs and has when the model does not fit", () => {
    const MiB = 1024 * 1024;
    const big = weights(4, { layer: 100 * MiB, embedding: 0, head: 0 });
    expect(() => planStages(workers(150 * MiB, 150 * MiB), big, 0)).toThrow(
      /w0: layers 0 to 1 need 200 MiB, it has 150 MiB; w1: layers 2 to 3 need 200 MiB, it has 150 MiB/,
    );
  });

  it("refuses more workers than layers", () => {
    expect(() => cut(2, 100, 100, 100)).toThrow(/3 workers for 2 layers/);
  });
});

describe("planPages", () => {
  const shape = { pageSize: 32, slidingWindow: 0, contextLength: 320, maxRows: 64 };
  const stages = (...memory: number[]) => planStages(workers(...memory), weights(4), 1);

  it.each([
    // two stages of 2 layers; weights 25 and 26; 40 % of what is left, a page of 1 byte per layer
    [[1025, 1026], 64, null, 200],
    // memories 2 : 1 give 3 layers and 1: 0.4 * (1025 - 35) / 3
    [[1025, 526], 64, null, 132],
    [[100_000, 100_000], 4, null, 40],
    // one whole sequence even where it takes more than 40 %: 0.9 * 30 / 2 = 13
    [[55, 56], 64, null, 10],
    [[1025, 1026], 64, 300, 300],
  ])("of memories %j with %i sequences, %j asked for, are %i", (memory, maxSequences, wanted, expected) => {
    expect(planPages({ stages: stages(...memory), shape, pageBytes: 1, maxSequences, wanted })).toBe(expected);
  });

  it("refuses what does not fit, with the numbers", () => {
    const plan = (wanted: number | null, ...memory: number[]) =>
      planPages({ stages: stages(...memory), shape, pageBytes: 1, maxSequences: 4, wanted });
    expect(() => plan(null, 35, 36)).toThrow(/10 pages .* room for 4/);
    expect(() => plan(9, 1000, 1000)).toThrow(/at least 10/);
  });
});

describe("chooseWorkers", () => {
  it.each([
    [["a", "b"], 3, [], null],
    [["a", "b", "c"], 2, [], ["a", "b"]],
    [["c", "b", "d"], 3, ["a", "b", "c"], ["d", "b", "c"]],
    [["d", "c", "a"], 2, ["a", "b"], ["a", "d"]],
  ])("of %j for %i places after %j: %j", (members, places, last, expected) => {
    expect(chooseWorkers(members, places, last)).toEqual(expected);
  });
});
