import { RhoneError } from "@rhone/common";
import type { DrawRequest } from "@rhone/ggml";
import { describe, expect, it, test } from "vitest";
import { span } from "../testing/steps.js";
import { lastRows } from "./last-rows.js";
import { type ResultSource, spanResults, sumRows } from "./span-results.js";

const NO_DRAW = { temperature: 0, topK: 0, topP: 1, minP: 0, uniform: 0 } as unknown as DrawRequest;

/** Logits of 4 tokens; those of row `index` make token `index` certain. Draws the most probable token. */
function source(states: readonly (readonly number[])[] = []) {
  const drawn: [number, number][] = [];
  const rounds: number[][] = [];
  const from: ResultSource = {
    read: async (requests) => {
      rounds.push(requests.map(({ row }) => row));
      return requests.map(({ row, target, alternatives = 0 }) => ({
        token: row,
        logprob: 0,
        targetLogprob: target === row ? 0 : -100,
        top: [{ id: row, logprob: 0 }].slice(0, alternatives),
      }));
    },
    states: (first, count) => Float32Array.from(states.slice(first, first + count).flat()),
    sampler: (sequence) => ({
      request: (position) => {
        drawn.push([sequence, position]);
        return { draw: NO_DRAW, alternatives: undefined };
      },
      accept: ({ token }) => ({ token, logprob: null, top: [] }),
    }),
  };
  return { ...from, drawn, rounds };
}

const drawnTokens = async (drafts: readonly number[]) => {
  const spans = [span({ position: 20, count: 3, sample: true, drafts: 2 })];
  const from = source();
  const [result] = await spanResults(spans, lastRows(spans, Int32Array.of(9, ...drafts)), from);
  return { tokens: result?.tokens.map(({ token }) => token), positions: from.drawn.map(([, position]) => position) };
};

describe("a span with drafts", () => {
  it.each([
    ["both right: a token for each, and a new one", [0, 1], [0, 1, 2]],
    ["the second wrong: the right token in its place", [0, 3], [0, 1]],
    ["the first wrong: nothing that followed from it counts", [3, 1], [0]],
  ])("%s", async (_name, drafts, tokens) => {
    expect(await drawnTokens(drafts)).toEqual({ tokens, positions: tokens.map((_, i) => 20 + i) });
  });
});

describe("a draw that fails", () => {
  const late = new RhoneError("STAGE_FAILED", "late");
  const failing = (thrown: Error, when: "request" | "accept"): ResultSource => ({
    ...source(),
    sampler: (sequence) => ({
      request: (position) => {
        if (when === "request" && sequence === 5 && position === 21) throw thrown;
        return { draw: NO_DRAW, alternatives: undefined };
      },
      accept: (_, position) => {
        if (when === "accept" && sequence === 5 && position === 21) throw thrown;
        return { token: 1, logprob: null, top: [] };
      },
    }),
  });
  const spans = [
    span({ sequence: 5, position: 20, count: 3, sample: true, drafts: 2 }),
    span({ sequence: 6, sample: true }),
  ];
  const rows = lastRows(spans, Int32Array.of(9, 1, 1, 9));

  it.each([
    ["its mask", "request"],
    ["its draw", "accept"],
  ] as const)("in %s ends its own span with the error behind the tokens before it, and no other", async (_, when) => {
    const tokens = [{ token: 1, logprob: null, top: [] }];
    expect(await spanResults(spans, rows, failing(late, when))).toEqual([
      { sequence: 5, tokens, scores: [], pooled: null, error: late },
      { sequence: 6, tokens, scores: [], pooled: null, error: null },
    ]);
  });

  it("fails the step when it is no named error but a broken invariant", async () => {
    const bug = new RangeError("bug");
    for (const when of ["request", "accept"] as const)
      await expect(spanResults(spans, rows, failing(bug, when))).rejects.toThrow("bug");
  });
});

describe("results", () => {
  it("come in the order of the spans, one each, with empty ones where nothing was asked for", async () => {
    const spans = [
      span({ sequence: 5, count: 2, targets: [0, 2], topTargets: 1 }),
      span({ sequence: 6, count: 3 }),
      span({ sequence: 7, position: 8, sample: true }),
    ];
    const from = source();
    const results = await spanResults(spans, lastRows(spans, new Int32Array(6)), from);
    expect(results.map(({ sequence }) => sequence)).toEqual([5, 6, 7]);
    expect(results[0]?.scores).toEqual([
      { token: 0, logprob: 0, top: [[0, 0]] },
      { token: 2, logprob: -100, top: [[1, 0]] },
    ]);
    expect(results[1]).toEqual({ sequence: 6, tokens: [], scores: [], pooled: null, error: null });
    expect(results[2]?.tokens).toEqual([{ token: 2, logprob: null, top: [] }]);
    expect(from.drawn).toEqual([[7, 8]]);
  });

  it("are read together, but for rows behind a draw", async () => {
    const spans = [
      span({ sequence: 5, count: 3, sample: true, targets: [0] }),
      span({ sequence: 6, count: 3, sample: true, drafts: 2 }),
      span({ sequence: 7, sample: true }),
    ];
    const from = source();
    // Rows 0 and 1 are of sequence 5, 2 to 4 of sequence 6, whose drafts are what these rows draw.
    await spanResults(spans, lastRows(spans, Int32Array.of(9, 9, 9, 9, 2, 3, 9)), from);
    expect(from.rounds).toEqual([[0, 1, 2, 5], [3], [4]]);
  });

  it("sum the rows of each pooled span, which come after the rows of logits", async () => {
    const spans = [
      span({ sequence: 1, count: 2, pool: true }),
      span({ sequence: 2, sample: true }),
      span({ sequence: 3, count: 1, pool: true }),
    ];
    const states = [
      [99, 99],
      [1, 10],
      [2, 20],
      [3, 30],
    ]; // the first is of the row that draws
    const results = await spanResults(spans, lastRows(spans, new Int32Array(4)), source(states));
    expect(results.map(({ pooled }) => pooled && [...pooled])).toEqual([[3, 30], null, [3, 30]]);
  });
});

test("sums are accumulated in f64: small rows are not lost beside large ones", () => {
  expect([...sumRows(Float32Array.of(1, 2, 3, 40, 50, 60), 3)]).toEqual([41, 52, 63]);
  const large = 2 ** 24; // from here on f32 counts in twos
  expect([...sumRows(Float32Array.of(large, 1, 1, 1), 1)]).toEqual([large + 4]);
  expect([...sumRows(Float32Array.of(large, 1, 1), 1)]).toEqual([large + 2]);
});
