import { describe, expect, it } from "vitest";
import { RowOrder } from "../attention/row-order.js";
import { span } from "../testing/steps.js";
import { computedRows, lastRows } from "./last-rows.js";

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
