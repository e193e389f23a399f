import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GgmlType, Graph, PackedWeight, quantizeChunk, rowSize, type Shape, WeightStore } from "@rhone/ggml";
import { afterAll, describe, expect, it, onTestFinished } from "vitest";
import { openTestBackend } from "../testing/test-backend.js";
import { fillWeights, type WeightToFill } from "./fill-weights.js";
import { linear } from "./linear.js";

const { engine, backend } = openTestBackend();
afterAll(() => backend.close());

/** A matrix of 2.3 MB, whose last piece ends with a group of 8 rows, between two small weights. */
const [K, ROWS] = [4096, 1000];
const wave = (length: number) => Float32Array.from({ length }, (_, i) => Math.sin(i * 0.37));
const quantized = quantizeChunk(engine, { type: GgmlType.Q4_0, source: wave(K * ROWS), nPerRow: K });
const SPECS = [
  { name: "before", type: GgmlType.F32, ne: [64, 1, 1, 1] as Shape, use: "norm" },
  { name: "matrix", type: GgmlType.Q4_0, ne: [K, ROWS, 1, 1] as Shape, use: "matmul" },
  { name: "after", type: GgmlType.F32, ne: [64, 1, 1, 1] as Shape, use: "norm" },
] as const;

/** The weights one after another in a file, the last in another one, and a store that waits for them. */
function scene() {
  const folder = mkdtempSync(join(tmpdir(), "rhone-fill-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const [path, second] = [join(folder, "weights"), join(folder, "more")];
  const norm = new Uint8Array(wave(64).buffer);
  writeFileSync(path, Buffer.concat([norm, quantized]));
  writeFileSync(second, norm);
  const offsets = [0, norm.byteLength, 0];
  const store = WeightStore.open(backend, SPECS);
  onTestFinished(() => store.close());
  const weights = SPECS.map(({ name, type, ne }, index): WeightToFill => {
    const bytes = rowSize(type, ne[0]) * ne[1];
    const place = { path: index === 2 ? second : path, offset: offsets[index] ?? 0 };
    return { store, name, info: { name, type, ne, bytes, ...place } };
  });
  const { signal } = new AbortController();
  const fill = (onProgress: (bytes: number, total: number) => void) =>
    fillWeights(weights, { backend, signal, onProgress });
  return { path, store, fill };
}

function multiply(store: WeightStore): Float32Array {
  const graph = Graph.open(backend, { maxTensors: 64 });
  onTestFinished(() => graph.close());
  const x = graph.input(GgmlType.F32, [K, 1]);
  const result = graph.output(linear(graph, x, store.weight("matrix")));
  graph.allocate();
  graph.setInput(x, wave(K));
  backend.computeSync(graph);
  return graph.read(result, new Float32Array(ROWS));
}

describe("fillWeights", () => {
  it("gives a matrix that is packed in pieces the bits of one that is written whole", async () => {
    const { store, fill } = scene();
    const seen: number[] = [];
    const total = quantized.byteLength + 2 * 64 * 4;
    await fill((bytes, all) => seen.push(bytes) && expect(all).toBe(total));
    expect(seen.at(-1)).toBe(total);
    expect(seen).toHaveLength(store.weight("matrix") instanceof PackedWeight ? 5 : 3);
    const whole = WeightStore.open(backend, SPECS);
    onTestFinished(() => whole.close());
    whole.set("matrix", quantized);
    expect(multiply(store)).toEqual(multiply(whole));
  });

  it("fails for a file that became shorter, once nothing is written any more", async () => {
    const { path, store, fill } = scene();
    truncateSync(path, 1_500_000);
    await expect(fill(() => {})).rejects.toMatchObject({ code: "GGUF_TRUNCATED" });
    expect(() => store.close()).not.toThrow();
  });
});
