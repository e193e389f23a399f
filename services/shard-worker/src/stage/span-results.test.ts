import { describe, expect, it, test } from "vitest";
import { span } from "../testing/span.js";
import { lastRows } from "./last-rows.js";
import { type ResultSource, spanResults, sumRows } from "./span-results.js";

/** Logits of 4 tokens; those of row `index` make token `index` certain. Draws the most probable token. */
function source(states: readonly (readonly number[])[] = []): ResultSource & { readonly drawn: [number, number][] } {
  const drawn: [number, number][] = [];
  return {
    drawn,
    logits: (index) => Float32Array.from({ length: 4 }, (_, token) => (token === index ? 100 : 0)),
    states: (first, count) => Float32Array.from(states.slice(first, first + count).flat()),
    draw: (sequence, logits, position) => {
      drawn.push([sequence, position]);
      return { token: logits.indexOf(Math.max(...logits)), logprob: null, top: [] };
    },
  };
}

const drawnTokens = (drafts: readonly number[]) => {
  const spans = [span({ position: 20, count: 3, sample: true, drafts: 2 })];
  const from = source();
  const [result] = spanResults(spans, lastRows(spans, Int32Array.of(9, ...drafts)), from);
  return { tokens: result?.tokens.map(({ token }) => token), positions: from.drawn.map(([, position]) => position) };
};

describe("a span with drafts", () => {
  it.each([
    ["both right: a token for each, and a new one", [0, 1], [0, 1, 2]],
    ["the second wrong: the right token in its place", [0, 3], [0, 1]],
    ["the first wrong: nothing that followed from it counts", [3, 1], [0]],
  ])("%s", (_name, drafts, tokens) => {
    expect(drawnTokens(drafts)).toEqual({ tokens, positions: tokens.map((_, i) => 20 + i) });
  });
});

describe("results", () => {
  it("come in the order of the spans, one each, with empty ones where nothing was asked for", () => {
    const spans = [
      span({ sequence: 5, count: 2, targets: [0, 2], topTargets: 1 }),
      span({ sequence: 6, count: 3 }),
      span({ sequence: 7, position: 8, sample: true }),
    ];
    const from = source();
    const results = spanResults(spans, lastRows(spans, new Int32Array(6)), from);
    expect(results.map(({ sequence }) => sequence)).toEqual([5, 6, 7]);
    expect(results[0]?.scores).toEqual([
      { token: 0, logprob: expect.closeTo(0), top: [[0, expect.closeTo(0)]] },
      { token: 2, logprob: expect.closeTo(-100), top: [[1, expect.closeTo(0)]] },
    ]);
    expect(results[1]).toEqual({ sequence: 6, tokens: [], scores: [], pooled: null });
    expect(results[2]?.tokens).toEqual([{ token: 2, logprob: null, top: [] }]);
    expect(from.drawn).toEqual([[7, 8]]);
  });

  it("sum the rows of each pooled span, which come after the rows of logits", () => {
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
    const results = spanResults(spans, lastRows(spans, new Int32Array(4)), source(states));
    expect(results.map(({ pooled }) => pooled && [...pooled])).toEqual([[3, 30], null, [3, 30]]);
  });
});

test("sums are accumulated in f64: small rows are not lost beside large ones", () => {
  expect([...sumRows(Float32Array.of(1, 2, 3, 40, 50, 60), 3)]).toEqual([41, 52, 63]);
  const large = 2 ** 24; // from here on f32 counts in twos
  expect([...sumRows(Float32Array.of(large, 1, 1, 1), 1)]).toEqual([large + 4]);
  expect([...sumRows(Float32Array.of(large, 1, 1), 1)]).toEqual([large + 2]);
});
