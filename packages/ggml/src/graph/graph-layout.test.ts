import { describe, expect, it } from "vitest";
import { GgmlType } from "../elements/ggml-type.js";
import { dequantize, quantizeChunk } from "../elements/quantize.js";
import { openEngine } from "../native/engine.js";
import type { Tensor } from "../tensors/tensor.js";
import { TensorStorage } from "../tensors/tensor-storage.js";
import { series } from "../testing/series.js";
import { expectClose, openTestGraph } from "../testing/test-graph.js";

const engine = openEngine();

const f16 = (values: Float32Array) =>
  quantizeChunk(engine, { type: GgmlType.F16, source: values, nPerRow: values.length });

describe("Operations that move or reshape elements", () => {
  it("writes rows into a cache and gathers them in the same step", async () => {
    const { backend, graph, run } = openTestGraph();
    const cache = TensorStorage.open(backend, [{ name: "k", type: GgmlType.F16, ne: [8, 16] }]);
    for (const name of cache.names) cache.zero(name);
    const rows = series(8 * 2);
    const source = graph.input(GgmlType.F32, [8, 2]);
    const targets = graph.input(GgmlType.I64, [2]);
    const wanted = graph.input(GgmlType.I32, [3]);
    graph.expand(graph.setRows(cache.get("k"), source, targets));
    const gathered = graph.getRows(cache.get("k"), wanted);
    const result = await run(
      gathered,
      new Map<Tensor, ArrayBufferView>([
        [source, rows],
        [targets, BigInt64Array.of(9n, 4n)],
        [wanted, Int32Array.of(4, 0, 9)],
      ]),
    );
    expectClose(result, [...rows.slice(8), ...new Float32Array(8), ...rows.slice(0, 8)], 1e-3);
    graph.reset();
    cache.close();
  });

  it.each([
    { name: "F16", type: GgmlType.F16, tolerance: 1e-3 },
    { name: "Q8_0", type: GgmlType.Q8_0, tolerance: 1e-2 },
  ])("gathers whole $name pages by seeing them as i32 rows, then as they were", async ({ type, tolerance }) => {
    const { backend, graph, run } = openTestGraph();
    const [width, pageRows, pages] = [64, 4, 6];
    const values = series(width * pageRows * pages);
    const bytes = quantizeChunk(engine, { type, source: values, nPerRow: width });
    const cache = TensorStorage.open(backend, [{ name: "k", type, ne: [width, pageRows * pages] }]);
    cache.set("k", bytes);
    const wanted = graph.input(GgmlType.I32, [3]);
    const pageWords = bytes.byteLength / pages / 4;
    const gathered = graph.getRows(graph.reinterpret(cache.get("k"), GgmlType.I32, [pageWords, pages]), wanted);
    const seen = graph.reinterpret(gathered, type, [width, pageRows * 3]);
    const x = graph.input(GgmlType.F32, [width]);
    const probe = series(width, 9);
    const result = await run(
      graph.mulMat(seen, x),
      new Map<Tensor, ArrayBufferView>([
        [wanted, Int32Array.of(5, 0, 2)],
        [x, probe],
      ]),
    );
    const stored = dequantize(engine, type, bytes);
    const expected = [5, 0, 2].flatMap((page) =>
      Array.from({ length: pageRows }, (_, row) => {
        const start = (page * pageRows + row) * width;
        return probe.reduce((sum, v, i) => sum + v * (stored[start + i] ?? 0), 0);
      }),
    );
    expectClose(result, expected, tolerance * 10);
    graph.reset();
    cache.close();
  });

  it.each([
    { dimension: 0, expected: [0, 1, 10, 11, 12, 2, 3, 13, 14, 15] },
    { dimension: 1, expected: [0, 1, 2, 3, 10, 11, 12, 13] },
  ])("joins tensors along dimension $dimension", async ({ dimension, expected }) => {
    const { graph, run } = openTestGraph();
    const a = graph.input(GgmlType.F32, [2, 2]);
    const b = graph.input(GgmlType.F32, dimension === 0 ? [3, 2] : [2, 2]);
    const values = Float32Array.from({ length: dimension === 0 ? 6 : 4 }, (_, i) => 10 + i);
    const inputs = new Map([
      [a, Float32Array.of(0, 1, 2, 3)],
      [b, values],
    ]);
    expect([...(await run(graph.concat(a, b, dimension), inputs))]).toEqual(expected);
  });

  it("converts by cast and by cpy, rounding as f16 does", () => {
    const { backend, graph } = openTestGraph();
    const values = Float32Array.of(1, 0.1, -65504, 1e-8);
    const x = graph.input(GgmlType.F32, [4]);
    const target = TensorStorage.open(backend, [{ name: "t", type: GgmlType.F16, ne: [4] }]);
    graph.expand(graph.cpy(x, target.get("t")));
    const cast = graph.output(graph.cast(x, GgmlType.F16));
    graph.allocate();
    graph.setInput(x, values);
    backend.computeSync(graph);
    const half = f16(values);
    expect(graph.read(cast, new Uint8Array(8))).toEqual(half);
    expect(target.read("t", new Uint8Array(8))).toEqual(half);
    graph.reset();
    target.close();
  });

  it("looks at the same bytes in other shapes", () => {
    const { backend, graph } = openTestGraph();
    const x = graph.input(GgmlType.F32, [4, 6]);
    const views = {
      reshape2d: graph.reshape2d(x, [8, 3]),
      reshape3d: graph.reshape3d(x, [2, 3, 4]),
      view2d: graph.view2d(x, [2, 3], [32]),
      view4d: graph.view4d(x, [2, 2, 2, 1], { nb: [16, 48, 96], offsetBytes: 8 }),
    };
    const copies = Object.values(views).map((view) => graph.output(graph.cast(view, GgmlType.F32)));
    graph.allocate();
    graph.setInput(
      x,
      Float32Array.from({ length: 24 }, (_, i) => i),
    );
    backend.computeSync(graph);
    expect(Object.values(views).map(({ ne }) => ne)).toEqual([
      [8, 3, 1, 1],
      [2, 3, 4, 1],
      [2, 3, 1, 1],
      [2, 2, 2, 1],
    ]);
    const read = copies.map((copy) => [...graph.read(copy, new Float32Array(copy.packedBytes / 4))]);
    expect(read[0]).toEqual(Array.from({ length: 24 }, (_, i) => i));
    expect(read[1]).toEqual(read[0]);
    expect(read[2]).toEqual([0, 1, 8, 9, 16, 17]);
    expect(read[3]).toEqual([2, 3, 6, 7, 14, 15, 18, 19]);
  });
});
