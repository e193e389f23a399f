import { describe, expect, test } from "vitest";
import { PageTable } from "./page-table.js";

function tableOf(pageSize: number, ...pages: readonly number[]): PageTable {
  const table = new PageTable(pageSize);
  table.append(pages);
  return table;
}

describe("PageTable", () => {
  test.each([
    // pages of 32: position -> row of the cache
    [0, 7 * 32],
    [31, 7 * 32 + 31],
    [32, 2 * 32],
    [63, 2 * 32 + 31],
    [70, 11 * 32 + 6],
  ])("position %d of pages 7, 2, 11 is row %d", (position, row) => {
    expect(tableOf(32, 7, 2, 11).rowOf(position)).toBe(row);
  });

  test("grows at its end", () => {
    const table = tableOf(1, 5);
    table.append([]);
    table.append([9, 3]);
    expect([0, 1, 2].map((position) => table.rowOf(position))).toEqual([5, 9, 3]);
  });

  test.each([
    [0, 0, []],
    [0, 2, [7, 2]],
    [1, 3, [2, 11]],
    [3, 3, []],
  ])("entries [%d, %d) are %o", (first, last, expected) => {
    expect(tableOf(32, 7, 2, 11).slice(first, last)).toEqual(expected);
  });

  test("an entry beyond its pages is refused with the numbers", () => {
    const refusal = { code: "STAGE_FAILED", message: "A step reaches page 2 of a sequence that has 2 pages." };
    expect(() => tableOf(32, 7, 2).rowOf(64)).toThrow(expect.objectContaining(refusal));
    expect(() => tableOf(32, 7, 2).slice(1, 3)).toThrow(expect.objectContaining(refusal));
  });
});
