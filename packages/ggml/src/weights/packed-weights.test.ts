import { afterAll, describe, expect, it } from "vitest";
import { GgmlType, type GgmlTypeName, rowSize } from "../elements/ggml-type.js";
import { quantizeChunk } from "../elements/quantize.js";
import { Graph } from "../graph/graph.js";
import { openEngine } from "../native/engine.js";
import { PackedWeight } from "../tensors/packed-weight.js";
import { backendWith, kernelVariants } from "../testing/kernel-variants.js";
import { series } from "../testing/series.js";
import { PackedWeights } from "./packed-weights.js";
import { WeightStore } from "./weight-store.js";

const engine = openEngine();
const backend = backendWith("auto");
const ggml = backendWith("ggml");
afterAll(() => {
  backend.close();
  ggml.close();
});

const [K, ROWS] = [256, 144];
const matrix = (type: GgmlTypeName, use: "matmul" | "rows" = "matmul") =>
  ({ name: `${type} ${use}`, type: GgmlType[type], ne: [K, ROWS], use }) as const;

describe.skipIf(kernelVariants.length === 0)("A store on a backend with kernels", () => {
  it("packs the matrices that they multiply by, and keeps tables in the layout of the file", () => {
    const store = WeightStore.open(backend, [matrix("Q4_0"), matrix("Q4_0", "rows")]);
    expect(store.weight("Q4_0 matmul")).toBeInstanceOf(PackedWeight);
    expect(String(store.weight("Q4_0 matmul"))).toBe("Q4_0 [256, 144]");
    expect(store.get("Q4_0 rows").ne).toEqual([K, ROWS, 1, 1]);
    expect(Object.keys(store.bytes).sort()).toEqual(["CPU", "KERNELS"]);
    expect(() => store.get("Q4_0 matmul")).toThrow("packed for Rhone's kernels; ggml can't compute with it");
    store.close();
  });

  it("takes no more memory for a packed matrix than its file and the end of its last tile", () => {
    const store = WeightStore.open(backend, [matrix("Q4_0")]);
    const fileBytes = rowSize(GgmlType.Q4_0, K) * ROWS;
    expect(store.bytes.KERNELS).toBeGreaterThanOrEqual(fileBytes);
    expect(store.bytes.KERNELS).toBeLessThan(fileBytes + 16 * rowSize(GgmlType.Q4_0, K) + 4096);
    store.close();
  });

  it("packs nothing without repacking, nor without kernels", () => {
    const plain = WeightStore.open(backend, [matrix("Q4_0")], { repack: false });
    expect(Object.keys(plain.bytes)).toEqual(["CPU"]);
    const other = WeightStore.open(ggml, [matrix("Q4_0")]);
    expect(other.weight("Q4_0 matmul")).not.toBeInstanceOf(PackedWeight);
    for (const store of [plain, other]) store.close();
  });

  it("packs off the event loop, and is not closed meanwhile", async () => {
    const store = WeightStore.open(backend, [matrix("Q4_0")]);
    const bytes = quantizeChunk(engine, { type: GgmlType.Q4_0, source: series(K * ROWS), nPerRow: K });
    const written = store.setAsync("Q4_0 matmul", bytes);
    expect(() => store.close()).toThrow("can't be closed while it is written to");
    await written;
    expect(() => store.set("Q4_0 matmul", bytes.subarray(1))).toThrow(/takes 20736 bytes; 20735 were given/);
    store.close();
  });
});

describe.skipIf(kernelVariants.length === 0)("A matrix that is packed in parts", () => {
  const spec = matrix("Q4_0");
  const bytes = quantizeChunk(engine, { type: GgmlType.Q4_0, source: series(K * ROWS), nPerRow: K });
  const rowBytes = rowSize(GgmlType.Q4_0, K);

  /** One row times the matrix. */
  function multiply(store: WeightStore): Float32Array {
    const graph = Graph.open(backend, { maxTensors: 16 });
    const [weight, { kernels }] = [store.weight(spec.name), graph];
    if (!(weight instanceof PackedWeight) || kernels === undefined) throw new Error("the matrix is not packed");
    const x = graph.input(GgmlType.F32, [K, 1]);
    const rows = kernels.quantize({ how: "plain", x }, kernels.kindFor(weight));
    const result = graph.output(kernels.product(weight, rows));
    graph.allocate();
    graph.setInput(x, series(K, 2));
    backend.computeSync(graph);
    const values = graph.read(result, new Float32Array(ROWS));
    graph.close();
    return values;
  }

  it("has the bits of one that is packed whole, in any order of the parts", async () => {
    const [whole, parts] = [WeightStore.open(backend, [spec]), WeightStore.open(backend, [spec])];
    whole.set(spec.name, bytes);
    const cut = (from: number, to: number) =>
      parts.setRowsAsync(spec.name, bytes.slice(from * rowBytes, to * rowBytes), from);
    await Promise.all([cut(112, 144), cut(0, 32), cut(32, 112)]);
    expect(multiply(parts)).toEqual(multiply(whole));
    for (const store of [whole, parts]) store.close();
  });

  it("is refused where a part cuts a group of rows, or ends behind the matrix, or the weight is not packed", async () => {
    const store = WeightStore.open(backend, [spec, matrix("Q4_0", "rows")]);
    const rows = (count: number) => new Uint8Array(count * rowBytes);
    for (const [first, count, end] of [
      [8, 16, 24],
      [16, 8, 24],
      [128, 32, 160],
      [-16, 32, 16],
    ] as const)
      await expect(store.setRowsAsync(spec.name, rows(count), first)).rejects.toThrow(
        `Rows ${first} to ${end} of "Q4_0 matmul", Q4_0 [256, 144], are not whole groups.`,
      );
    await expect(store.setRowsAsync("Q4_0 rows", rows(16), 0)).rejects.toThrow("can only be written whole");
    store.close();
  });
});

it("Packing needs kernels", () => {
  expect(() => PackedWeights.open(ggml, [])).toThrow("Packing weights needs a backend with kernels.");
});
