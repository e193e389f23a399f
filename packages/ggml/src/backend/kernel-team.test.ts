import { existsSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { describe, expect, it, onTestFinished } from "vitest";
import { native } from "../bindings/pointer.js";
import { GgmlType } from "../elements/ggml-type.js";
import { quantizeChunk } from "../elements/quantize.js";
import { Graph } from "../graph/graph.js";
import { openEngine } from "../native/engine.js";
import type { PackedWeight } from "../tensors/packed-weight.js";
import { backendWith, kernelVariants } from "../testing/kernel-variants.js";
import { series } from "../testing/series.js";
import { WeightStore } from "../weights/weight-store.js";

const engine = openEngine();
const [K, ROWS, PRODUCTS] = [256, 3, 40];

/** `PRODUCTS` products behind each other, each of the last one's normed rows, on `threads` threads. */
function chainOn(threads: number) {
  const backend = backendWith("auto", threads);
  onTestFinished(() => backend.close());
  const store = WeightStore.open(backend, [{ name: "w", type: GgmlType.Q4_0, ne: [K, K], use: "matmul" }]);
  onTestFinished(() => store.close());
  store.set("w", quantizeChunk(engine, { type: GgmlType.Q4_0, source: series(K * K, 1), nPerRow: K }));
  const graph = Graph.open(backend, { maxTensors: 256 });
  onTestFinished(() => graph.close());
  const weight = store.weight("w") as PackedWeight;
  const [x, factors] = [graph.input(GgmlType.F32, [K, ROWS]), graph.input(GgmlType.F32, [K])];
  let result = x;
  for (let i = 0; i < PRODUCTS; i++) {
    const rows = graph.kernels?.quantize({ how: "norm", x: result, factors, eps: 1e-5 }, graph.kernels.kindFor(weight));
    result = rows === undefined ? result : (graph.kernels?.product(weight, rows) ?? result);
  }
  const output = graph.output(result);
  const compute = () => {
    graph.setInput(x, series(K * ROWS, 2));
    graph.setInput(factors, new Float32Array(K).fill(1));
    backend.computeSync(graph);
    return graph.read(output, new Float32Array(K * ROWS));
  };
  return { graph, backend, compute };
}

describe.skipIf(kernelVariants.length === 0)("A team of threads", () => {
  it("computes the bits of one thread, in any number", () => {
    const one = chainOn(1);
    one.graph.allocate();
    const expected = one.compute();
    for (const threads of [2, 3, 5]) {
      const { graph, compute } = chainOn(threads);
      graph.allocate();
      for (let again = 0; again < 50; again++) expect(compute()).toEqual(expected);
    }
  });

  it("waits for no thread that has no core: eight for each of them cost little more than one", () => {
    const [one, many] = [1, 8 * Math.min(availableParallelism(), 32)].map((threads) => {
      const { graph, compute } = chainOn(threads);
      graph.allocate();
      compute();
      const before = process.cpuUsage();
      for (let again = 0; again < 20; again++) compute();
      const { user, system } = process.cpuUsage(before);
      return user + system;
    });
    // At ggml's barriers it is hundreds of times as much.
    expect(many).toBeLessThan(20 * (one as number));
  });

  it.skipIf(!existsSync("/proc/self/status"))("lives from open to close", () => {
    const threads = () => Number(/Threads:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);
    const before = threads();
    const backend = backendWith("auto", 4);
    // ggml's threads, for graphs that it computes, and the team's.
    expect(threads()).toBe(before + 6);
    backend.close();
    expect(threads()).toBe(before);
  });

  it("leaves graphs with operations of ggml's to ggml's threads, until the next step", () => {
    const { graph } = chainOn(2);
    const isByKernels = () => {
      graph.allocate();
      const { byKernels, finish } = graph[native]();
      finish();
      return byKernels;
    };
    expect(isByKernels()).toBe(true);
    graph.reset();
    const x = graph.input(GgmlType.F32, [K]);
    graph.output(graph.add(x, x));
    expect(isByKernels()).toBe(false);
    graph.reset();
    expect(isByKernels()).toBe(true);
  });
});
