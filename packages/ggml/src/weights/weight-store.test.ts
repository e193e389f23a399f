import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Backend } from "../backend/backend.js";
import { GgmlType } from "../elements/ggml-type.js";
import { quantizeChunk } from "../elements/quantize.js";
import { Graph } from "../graph/graph.js";
import { openEngine } from "../native/engine.js";
import { series, worstDifference } from "../testing/series.js";
import { WeightStore } from "./weight-store.js";

const engine = openEngine();
let backend: Backend;
beforeAll(() => {
  backend = Backend.open(engine, { threads: 2 });
});
afterAll(() => backend.close());

const wave = (n: number, step: number) => Float32Array.from({ length: n }, (_, i) => Math.sin(i * step));

/** weight · x, from a store opened with `repack`. */
async function product(
  type: GgmlType,
  tokens: number,
  repack: boolean,
): Promise<{ values: Float32Array; place: string }> {
  const [k, n] = [512, 128];
  const store = WeightStore.open(backend, [{ name: "w", type, ne: [k, n], use: "matmul" }], { repack });
  await store.setAsync("w", quantizeChunk(engine, { type, source: wave(k * n, 0.37), nPerRow: k }));
  const graph = Graph.open(backend, { maxTensors: 16 });
  const x = graph.input(GgmlType.F32, [k, tokens]);
  const result = graph.output(graph.mulMat(store.get("w"), x));
  graph.allocate();
  graph.setInput(x, wave(k * tokens, 0.11));
  await backend.compute(graph);
  const values = graph.read(result, new Float32Array(n * tokens));
  const [place = ""] = Object.keys(store.bytes);
  graph.close();
  store.close();
  return { values, place };
}

describe("WeightStore", () => {
  it.each([
    { name: "Q4_0", type: GgmlType.Q4_0, tokens: 1 },
    { name: "Q4_0", type: GgmlType.Q4_0, tokens: 37 },
    { name: "Q4_K", type: GgmlType.Q4_K, tokens: 1 },
    { name: "Q4_K", type: GgmlType.Q4_K, tokens: 16 },
    { name: "Q8_0", type: GgmlType.Q8_0, tokens: 5 },
    { name: "F16", type: GgmlType.F16, tokens: 5 },
  ])("computes the same from repacked and plain $name, $tokens token(s)", async ({ type, tokens }) => {
    const [repacked, plain] = [await product(type, tokens, true), await product(type, tokens, false)];
    expect(plain.place).toBe("CPU");
    const scale = plain.values.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
    const worst = repacked.values.reduce((most, v, i) => Math.max(most, Math.abs(v - (plain.values[i] ?? 0))), 0);
    expect(worst / scale).toBeLessThan(5e-3);
  });

  it("keeps looked-up tables and norms in plain memory, and counts bytes per kind of memory", () => {
    const store = WeightStore.open(backend, [
      { name: "embedding", type: GgmlType.Q4_0, ne: [256, 64], use: "rows" },
      { name: "norm", type: GgmlType.F32, ne: [256], use: "norm" },
    ]);
    expect(Object.keys(store.bytes)).toEqual(["CPU"]);
    const total = Object.values(store.bytes).reduce((a, b) => a + b, 0);
    expect(total).toBeGreaterThanOrEqual(64 * 144 + 1024);
    expect(store.names).toEqual(["embedding", "norm"]);
    store.close();
  });

  it("throws OUT_OF_MEMORY with the numbers for more than the device can hold", () => {
    const huge = { name: "w", type: GgmlType.F32, ne: [2 ** 20, 2 ** 24], use: "matmul" } as const;
    expect(() => WeightStore.open(backend, [huge])).toThrowError(
      expect.objectContaining({ code: "OUT_OF_MEMORY", message: expect.stringMatching(/need 70368744177664 bytes/) }),
    );
  });

  it("throws TENSOR_TYPE_UNSUPPORTED for a weight that nothing can compute with", () => {
    const odd = (type: GgmlType, ne: readonly [number, number]) => () =>
      WeightStore.open(backend, [{ name: "odd", type, ne, use: "matmul" }]);
    const unsupported = expect.objectContaining({ code: "TENSOR_TYPE_UNSUPPORTED" });
    expect(odd(GgmlType.I32, [64, 4])).toThrowError(unsupported);
    expect(odd(GgmlType.Q4_K, [100, 4])).toThrowError(unsupported);
  });

  it("refuses unknown names, parts of a weight, and use once closed", () => {
    const store = WeightStore.open(backend, [{ name: "w", type: GgmlType.F32, ne: [8], use: "norm" }]);
    expect(() => store.set("v", new Uint8Array(32))).toThrowError(expect.objectContaining({ code: "TENSOR_MISSING" }));
    expect(() => store.set("w", new Uint8Array(31))).toThrow(/takes 32 bytes; 31 were given/);
    store.close();
    store.close();
    expect(() => store.set("w", new Uint8Array(32))).toThrow(/closed/);
  });

  it("holds weights of three extents, matrix by matrix", async () => {
    const [k, n, experts] = [64, 8, 3];
    const store = WeightStore.open(backend, [{ name: "e", type: GgmlType.F32, ne: [k, n, experts], use: "matmul" }]);
    expect(store.get("e").ne).toEqual([k, n, experts, 1]);
    const values = series(k * n * experts);
    await store.setAsync("e", new Uint8Array(values.buffer));
    const graph = Graph.open(backend, { maxTensors: 16 });
    const x = graph.input(GgmlType.F32, [k, 1, experts]);
    const result = graph.output(graph.mulMat(store.get("e"), x));
    graph.allocate();
    graph.setInput(
      x,
      new Float32Array(k * experts).map((_, i) => (i % k === 0 ? 1 : 0)),
    );
    await backend.compute(graph);
    const firstColumns = Array.from({ length: n * experts }, (_, row) => values[row * k] ?? Number.NaN);
    expect(worstDifference(graph.read(result, new Float32Array(n * experts)), firstColumns)).toBeLessThan(1e-6);
    graph.close();
    store.close();
  });

  it("tells the bytes of each kind of memory", () => {
    const specs = ["a", "b", "c"].map((name) => ({ name, type: GgmlType.F32, ne: [64, 4], use: "rows" }) as const);
    const store = WeightStore.open(backend, specs, { repack: false });
    expect(Object.keys(store.bytes)).toEqual(["CPU"]);
    expect(store.bytes.CPU).toBeGreaterThanOrEqual(3 * 1024);
    expect(() => store.get("d")).toThrow('There is no weight "d" among the 3 declared.');
    store.close();
  });

  it("can't be closed while a graph is computed, or a weight written", async () => {
    const spec = { name: "w", type: GgmlType.F32, ne: [512, 512], use: "matmul" } as const;
    const store = WeightStore.open(backend, [spec], { repack: false });
    const written = store.setAsync("w", new Uint8Array(512 * 512 * 4));
    expect(() => store.close()).toThrow("A tensor storage can't be closed while it is written to.");
    await written;
    const graph = Graph.open(backend, { maxTensors: 16 });
    const x = graph.input(GgmlType.F32, [512, 64]);
    graph.output(graph.mulMat(store.get("w"), x));
    graph.allocate();
    const computed = backend.compute(graph);
    expect(() => store.close()).toThrow("Closing a tensor storage must wait");
    await computed;
    graph.close();
    store.close();
    expect(() => store.get("w").ne).toThrow(/closed/);
  });
});
