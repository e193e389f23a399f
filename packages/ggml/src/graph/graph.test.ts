import { describe, expect, it } from "vitest";
import { Backend } from "../backend/backend.js";
import { GgmlType } from "../elements/ggml-type.js";
import { openEngine } from "../native/engine.js";
import { TensorStorage } from "../tensors/tensor-storage.js";
import { series } from "../testing/series.js";
import { expectClose, openTestGraph } from "../testing/test-graph.js";
import { Graph } from "./graph.js";

const engine = openEngine();

describe("Graph", () => {
  it("knows which inputs anything computed needs", () => {
    const { graph } = openTestGraph();
    const [used, unused] = [graph.input(GgmlType.F32, [16]), graph.input(GgmlType.F32, [16])];
    graph.add(unused, unused);
    graph.output(graph.add(used, used));
    graph.allocate();
    expect([graph.isNeeded(used), graph.isNeeded(unused)]).toEqual([true, false]);
    expect(() => graph.setInput(unused, new Float32Array(16))).toThrow(/has no memory/);
  });

  it("reads part of an output", () => {
    const { backend, graph } = openTestGraph();
    const x = graph.input(GgmlType.F32, [16]);
    const doubled = graph.output(graph.add(x, x));
    graph.allocate();
    graph.setInput(
      x,
      Float32Array.from({ length: 16 }, (_, i) => i),
    );
    backend.computeSync(graph);
    expect([...graph.read(doubled, new Float32Array(3), 20)]).toEqual([10, 12, 14]);
    expect(() => graph.read(doubled, new Float32Array(3), 56)).toThrow("Bytes 56 to 68 are outside F32 [16, 1, 1, 1]");
  });

  it("is used again for the next step, of another size", async () => {
    const { graph, run } = openTestGraph();
    for (const n of [4, 64, 8]) {
      graph.reset();
      const input = graph.input(GgmlType.F32, [n]);
      const result = await run(graph.add(input, input), new Map([[input, series(n)]]));
      expectClose(
        result,
        series(n).map((v) => 2 * v),
        1e-6,
      );
    }
  });

  it("keeps the event loop free and the graph locked while it computes", async () => {
    const { backend, graph } = openTestGraph();
    const weight = graph.input(GgmlType.F32, [1024, 1024]);
    let x = graph.input(GgmlType.F32, [1024, 64]);
    const first = x;
    for (let i = 0; i < 4; i++) x = graph.mulMat(weight, x);
    graph.output(x);
    graph.allocate();
    graph.setInput(weight, new Float32Array(1024 * 1024));
    graph.setInput(first, new Float32Array(1024 * 64));
    let settled = false;
    const computed = backend.compute(graph).then(() => {
      settled = true;
    });
    expect(settled).toBe(false);
    expect(() => graph.reset()).toThrow(/being computed/);
    expect(() => graph.read(x, new Float32Array(1))).toThrow(/being computed/);
    expect(() => backend.close()).toThrow(/must wait/);
    await computed;
    expect(settled).toBe(true);
  });

  it("computes on two backends at once", async () => {
    const { backend, graph } = openTestGraph();
    const other = Backend.open(engine, { threads: 1 });
    const second = Graph.open(other, { maxTensors: 64 });
    const pairs = [
      { on: backend, of: graph },
      { on: other, of: second },
    ].map(({ on, of }, i) => {
      const input = of.input(GgmlType.F32, [256]);
      const factor = of.input(GgmlType.F32, [1]);
      const product = of.output(of.mul(input, factor));
      of.allocate();
      of.setInput(input, series(256));
      of.setInput(factor, Float32Array.of(2 + i));
      return on.compute(of).then(() => of.read(product, new Float32Array(256)));
    });
    const results = await Promise.all(pairs);
    results.forEach((result, i) => {
      expectClose(
        result,
        series(256).map((v) => v * (2 + i)),
        1e-5,
      );
    });
    second.close();
    other.close();
  });
});

describe("Graph misuse", () => {
  it("refuses a tensor of an earlier step", () => {
    const { graph } = openTestGraph();
    const old = graph.input(GgmlType.F32, [4]);
    graph.reset();
    expect(() => graph.add(old, old)).toThrow(/tensor of the graph was used after the graph was reset/);
  });

  it("refuses a weight whose storage was closed, while building and while computing", () => {
    const { backend, graph } = openTestGraph();
    const storage = TensorStorage.open(backend, [{ name: "w", type: GgmlType.F32, ne: [4] }]);
    const weight = storage.get("w");
    graph.output(graph.add(weight, weight));
    graph.allocate();
    storage.close();
    expect(() => backend.computeSync(graph)).toThrow(/was used after it was closed/);
    graph.reset();
    expect(() => graph.add(weight, weight)).toThrow(
      /tensor of the tensor storage was used after the tensor storage was closed/,
    );
  });

  it("refuses to run before it is allocated, to grow after, and to be used when closed", () => {
    const { backend, graph } = openTestGraph();
    const input = graph.input(GgmlType.F32, [4]);
    const sum = graph.output(graph.add(input, input));
    expect(() => backend.computeSync(graph)).toThrow(/must be allocated/);
    expect(() => graph.setInput(input, new Float32Array(4))).toThrow(/has no memory/);
    graph.allocate();
    expect(() => graph.add(sum, sum)).toThrow(/can't grow/);
    expect(() => graph.setInput(input, new Float32Array(3))).toThrow(/takes 16 bytes; 12 were given/);
    expect(() => graph.read(sum, new Float32Array(5))).toThrow(
      /Bytes 0 to 20 are outside F32 \[4, 1, 1, 1\], which takes 16 bytes/,
    );
    graph.close();
    expect(() => graph.input(GgmlType.F32, [1])).toThrow(/closed/);
    expect(() => graph.expand(sum)).toThrow(/closed/);
    expect(() => graph.reset()).toThrow(/closed/);
    expect(() => graph.close()).not.toThrow();
  });

  it("says so when a step is larger than the graph was opened for", () => {
    const { graph } = openTestGraph();
    const input = graph.input(GgmlType.F32, [1]);
    expect(() => {
      for (let i = 0; i < 600; i++) graph.add(input, input);
    }).toThrow(/more than 512 tensors/);
  });

  it("throws OUT_OF_MEMORY with the numbers when intermediate results don't fit", () => {
    const { graph } = openTestGraph();
    const input = graph.input(GgmlType.F32, [2 ** 20]);
    const table = graph.input(GgmlType.F32, [2 ** 20, 2 ** 26]);
    graph.output(graph.mul(table, input));
    expect(() => graph.allocate()).toThrowError(
      expect.objectContaining({ code: "OUT_OF_MEMORY", message: expect.stringMatching(/needs \d{15,} bytes/) }),
    );
  });

  it("refuses to see a tensor as one of another size", () => {
    const { graph } = openTestGraph();
    const input = graph.input(GgmlType.F16, [64, 4]);
    expect(() => graph.reinterpret(input, GgmlType.I32, [64, 4])).toThrow(
      /can't be reinterpreted as I32 \[64, 4, 1, 1\]: that takes 1024 bytes, the tensor 512/,
    );
    expect(() => graph.reinterpret(graph.view2d(input, [32, 4], [128]), GgmlType.I32, [16, 4])).toThrow(/with gaps/);
  });
});
