import { GgmlType, Graph } from "@rhone/ggml";
import { afterAll, describe, expect, onTestFinished, test } from "vitest";
import { openTestBackend } from "../testing/test-backend.js";
import { Pages, type PagesShape, PageTable } from "./pages.js";

const { backend } = openTestBackend();
const graph = Graph.open(backend);
afterAll(() => {
  graph.close();
  backend.close();
});

const SHAPE: PagesShape = { layers: [4, 9], pages: 6, pageSize: 2, kvDim: 32, type: GgmlType.F16 };

function open(shape: Partial<PagesShape> = {}): Pages {
  const pages = Pages.open(backend, { ...SHAPE, ...shape });
  onTestFinished(() => pages.close());
  return pages;
}

/** Fills rows of one cache with `value`, as a step writes K and V. */
async function write(pages: Pages, kind: "keys" | "values", rows: readonly number[], value: number): Promise<void> {
  graph.reset();
  const { kvDim, layers } = pages.shape;
  const source = graph.input(GgmlType.F32, [kvDim, rows.length]);
  const at = graph.input(GgmlType.I32, [rows.length]);
  graph.expand(graph.setRows(pages[kind](layers[0] ?? 0), source, at));
  graph.allocate();
  graph.setInput(source, new Float32Array(kvDim * rows.length).fill(value));
  graph.setInput(at, Int32Array.from(rows));
  await backend.compute(graph);
}

/** The first number of each row of a cache. */
async function read(pages: Pages, kind: "keys" | "values"): Promise<readonly number[]> {
  graph.reset();
  const { kvDim, layers, pages: count, pageSize } = pages.shape;
  const at = graph.input(GgmlType.I32, [count * pageSize]);
  const rows = graph.output(graph.getRows(pages[kind](layers[0] ?? 0), at));
  graph.allocate();
  graph.setInput(
    at,
    Int32Array.from({ length: count * pageSize }, (_, row) => row),
  );
  await backend.compute(graph);
  const numbers = graph.read(rows, new Float32Array(kvDim * count * pageSize));
  return Array.from({ length: count * pageSize }, (_, row) => numbers[row * kvDim] ?? Number.NaN);
}

const ALL_ROWS = Array.from({ length: 12 }, (_, row) => row);

describe("Pages", () => {
  test.each([
    // 2 layers * (K, V) * 6 pages * 2 positions * bytes of 256 numbers
    ["f16", GgmlType.F16, 2 * 2 * 6 * 2 * 512],
    ["f32", GgmlType.F32, 2 * 2 * 6 * 2 * 1024],
    ["q8_0", GgmlType.Q8_0, 2 * 2 * 6 * 2 * 272],
  ])("of %s take what their rows take", (_, type, bytes) => {
    expect(open({ type, kvDim: 256 }).bytes).toBe(bytes);
  });

  test("are zeroed when they are prepared first, in K and in V, and never again", async () => {
    const pages = open();
    for (const kind of ["keys", "values"] as const) await write(pages, kind, ALL_ROWS, 3);
    pages.prepare([1, 4]);
    for (const kind of ["keys", "values"] as const) {
      expect(await read(pages, kind)).toEqual([3, 3, 0, 0, 3, 3, 3, 3, 0, 0, 3, 3]);
    }
    await write(pages, "keys", [2, 3], 5);
    pages.prepare([1, 0]);
    expect(await read(pages, "keys")).toEqual([0, 0, 5, 5, 3, 3, 3, 3, 0, 0, 3, 3]);
  });

  test("are copied whole, and a copy is not zeroed by its first use", async () => {
    const pages = open();
    await write(pages, "keys", ALL_ROWS, 7);
    await write(pages, "values", ALL_ROWS, 7);
    pages.prepare([2]);
    await write(pages, "keys", [4, 5], 1);
    pages.copy(2, 5);
    pages.prepare([5]);
    expect((await read(pages, "keys")).slice(8)).toEqual([7, 7, 1, 1]);
    expect((await read(pages, "values")).slice(8)).toEqual([7, 7, 0, 0]);
  });

  test("of a layer that the stage does not hold are an error", () => {
    const pages = open();
    expect(() => pages.keys(5)).toThrow(/k\.5/);
    expect(() => pages.values(0)).toThrow(/v\.0/);
  });
});

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
