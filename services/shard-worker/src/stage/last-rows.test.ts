import { RhoneError } from "@rhone/common";
import { describe, expect, it, test } from "vitest";
import { RowOrder } from "../attention/row-order.js";
import { span } from "../testing/steps.js";
import { computedRows, lastRows, type ResultSource, spanResults, sumRows } from "./last-rows.js";

/** What is read of one span at positions 10, 11 …, with tokens 100, 101 …: [position, target, draws, guess]. */
const rowsOf = (changes: Parameters<typeof span>[0]) => {
  const spans = [span({ position: 10, ...changes })];
  const tokens = Int32Array.from({ length: spans[0]?.count ?? 0 }, (_, i) => 100 + i);
  return lastRows(spans, tokens).logits.map(({ position, target, draws, guess }) => [position, target, draws, guess]);
};

describe("the rows whose logits the last stage reads", () => {
  it.each([
    ["none of a prompt's chunk", { count: 3 }, []],
    ["the last one of a prompt that is whole", { count: 3, sample: true }, [[12, undefined, true, undefined]]],
    ["the only one of a decoding sequence", { count: 1, sample: true }, [[10, undefined, true, undefined]]],
    [
      "that before each draft, and the last draft",
      { count: 3, sample: true, drafts: 2 },
      [
        [10, undefined, true, 101],
        [11, undefined, true, 102],
        [12, undefined, true, undefined],
      ],
    ],
    [
      "the scored ones, with their targets",
      { count: 3, targets: [7, 8] },
      [
        [10, 7, false, 101],
        [11, 8, false, 102],
      ],
    ],
    [
      "scored ones and the one that draws",
      { count: 2, sample: true, targets: [7] },
      [
        [10, 7, false, 101],
        [11, undefined, true, undefined],
      ],
    ],
    ["one that is scored and draws", { count: 1, sample: true, targets: [7] }, [[10, 7, true, undefined]]],
    ["none of a pooled span", { count: 4, pool: true }, []],
  ])("are %s", (_name, changes, expected) => {
    expect(rowsOf(changes)).toEqual(expected);
  });

  it("come span by span, before the rows of the pooled spans", () => {
    const spans = [
      span({ sequence: 1, count: 2, pool: true }),
      span({ sequence: 2, count: 1, sample: true }),
      span({ sequence: 3, count: 3, sample: true, pool: true }),
    ];
    const rows = lastRows(spans, new Int32Array(6));
    expect(rows.logits.map(({ span: { sequence } }) => sequence)).toEqual([2, 3]);
    expect(rows.pooled.map(({ sequence }) => sequence)).toEqual([1, 3]);
    expect(rows.count).toBe(2 + 2 + 3);
    // Frame: rows 0 1 | 2 | 3 4 5. Computed: the single row first, then the others: 2 | 0 1 | 3 4 5.
    const [a, b, c] = spans as [(typeof spans)[0], (typeof spans)[0], (typeof spans)[0]];
    const order = new RowOrder(spans, [b, a, c]);
    expect([...computedRows(rows, order)]).toEqual([0, 5, 1, 2, 3, 4, 5]);
  });

  it("take a guess from the span's own rows only", () => {
    const spans = [span({ count: 2, sample: true, drafts: 1 }), span({ sequence: 2, count: 1, sample: true })];
    const guesses = lastRows(spans, Int32Array.of(5, 6, 7)).logits.map(({ guess }) => guess);
    expect(guesses).toEqual([6, undefined, undefined]);
  });
});

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

describe("a draw that fails", () => {
  const late = new RhoneError("STAGE_FAILED", "late");
  const failing = (thrown: Error): ResultSource => ({
    ...source(),
    draw: (sequence, _logits, position) => {
      if (sequence === 5 && position === 21) throw thrown;
      return { token: 1, logprob: null, top: [] };
    },
  });
  const spans = [
    span({ sequence: 5, position: 20, count: 3, sample: true, drafts: 2 }),
    span({ sequence: 6, sample: true }),
  ];
  const rows = lastRows(spans, Int32Array.of(9, 1, 1, 9));

  it("ends its own span with the error behind the tokens before it, and no other", () => {
    const tokens = [{ token: 1, logprob: null, top: [] }];
    expect(spanResults(spans, rows, failing(late))).toEqual([
      { sequence: 5, tokens, scores: [], pooled: null, error: late },
      { sequence: 6, tokens, scores: [], pooled: null, error: null },
    ]);
  });

  it("fails the step when it is no named error but a broken invariant", () => {
    expect(() => spanResults(spans, rows, failing(new RangeError("bug")))).toThrow("bug");
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
    expect(results[1]).toEqual({ sequence: 6, tokens: [], scores: [], pooled: null, error: null });
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
