import { existsSync, readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { GgmlType } from "../elements/ggml-type.js";
import { Graph } from "../graph/graph.js";
import { openEngine } from "../native/engine.js";
import { series, worstDifference } from "../testing/series.js";
import { Backend } from "./backend.js";

const engine = openEngine();

/** A graph that multiplies a [k, n] matrix with itself, `times` times. */
function productGraph(backend: Backend, n: number, times = 1) {
  const graph = Graph.open(backend, { maxTensors: 64 });
  const weight = graph.input(GgmlType.F32, [n, n]);
  let x = graph.input(GgmlType.F32, [n, 8]);
  const first = x;
  for (let i = 0; i < times; i++) x = graph.mulMat(weight, x);
  graph.output(x);
  graph.allocate();
  graph.setInput(
    weight,
    series(n * n, 2).map((value) => value / n),
  );
  graph.setInput(first, series(n * 8, 3));
  return { graph, read: () => graph.read(x, new Float32Array(n * 8)), close: () => graph.close() };
}

describe("Backend.open", () => {
  it("finds a device in any case, and lists what exists for another", () => {
    const backend = Backend.open(engine, { device: "cpu", threads: 1 });
    expect([backend.device.name, backend.threads]).toEqual(["CPU", 1]);
    backend.close();
    expect(() => Backend.open(engine, { device: "CUDA7", threads: 1 })).toThrow(
      expect.objectContaining({ code: "DEVICE_NOT_FOUND", message: expect.stringContaining("CPU") }),
    );
  });

  it.each([0, -1, 1.5, 513, Number.NaN])("refuses %d threads", (threads) => {
    expect(() => Backend.open(engine, { threads })).toThrow(
      expect.objectContaining({
        code: "INVALID_CONFIG",
        message: `A backend takes 1 to 512 threads; ${threads} were requested.`,
      }),
    );
  });

  it("lists the buffer types with the device's own last", () => {
    const backend = Backend.open(engine, { threads: 1 });
    const types = backend.bufferTypes();
    expect(types.at(-1)).toMatchObject({ name: "CPU", isExtra: false });
    expect(types.slice(0, -1).every(({ isExtra }) => isExtra)).toBe(true);
    expect(new Set(types.map(({ name }) => name)).size).toBe(types.length);
    backend.close();
  });
});

describe("Backend.whenIdle", () => {
  it("calls at once, or when the last graph is computed", async () => {
    const backend = Backend.open(engine, { threads: 1 });
    const products = [productGraph(backend, 64), productGraph(backend, 64)];
    const calls: string[] = [];
    backend.whenIdle(() => calls.push("at once"));
    const computed = products.map(({ graph }) => backend.compute(graph));
    backend.whenIdle(() => calls.push("idle"));
    await computed[0];
    expect(calls).toEqual(["at once"]);
    await computed[1];
    expect(calls).toEqual(["at once", "idle"]);
    for (const product of products) product.close();
    backend.close();
  });
});

describe("A backend's threads", () => {
  const threads = () => Number(/Threads:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);

  it.skipIf(!existsSync("/proc/self/status"))("live from open to close, and not per graph", async () => {
    const warm = Backend.open(engine, { threads: 1 });
    const warmed = productGraph(warm, 16);
    await warm.compute(warmed.graph);
    warmed.close();
    warm.close();
    const before = threads();
    const backend = Backend.open(engine, { threads: 4 });
    expect(threads()).toBe(before + 3);
    const product = productGraph(backend, 64, 4);
    backend.computeSync(product.graph);
    expect(threads()).toBe(before + 3);
    product.close();
    backend.close();
    expect(threads()).toBe(before);
  });

  it.each([1, 2, 3, 4])("compute the same with %i of them", (count) => {
    const results = [1, count].map((threads) => {
      const backend = Backend.open(engine, { threads, poll: 0 });
      const product = productGraph(backend, 96, 3);
      backend.computeSync(product.graph);
      const values = product.read();
      product.close();
      backend.close();
      return values;
    });
    expect(worstDifference(results[1] ?? [], results[0] ?? [])).toBeLessThan(1e-6);
  });
});

describe("Backend.compute", () => {
  let backend: Backend;
  beforeEach(() => {
    backend = Backend.open(engine, { threads: 1 });
  });
  afterEach(() => backend.close());

  it("runs graphs in the order of the calls", async () => {
    const products = [productGraph(backend, 256, 8), productGraph(backend, 8), productGraph(backend, 8)];
    const done: number[] = [];
    await Promise.all(products.map(({ graph }, i) => backend.compute(graph).then(() => done.push(i))));
    expect(done).toEqual([0, 1, 2]);
    for (const product of products) product.close();
  });

  it("refuses to compute in place or to close until the last graph is done", async () => {
    const [first, second] = [productGraph(backend, 256, 8), productGraph(backend, 8)];
    const computed = Promise.all([backend.compute(first.graph), backend.compute(second.graph)]);
    expect(() => backend.computeSync(second.graph)).toThrow(
      "computeSync must wait: the backend has 2 graph(s) to compute.",
    );
    expect(() => backend.close()).toThrow("Backend.close must wait: the backend has 2 graph(s) to compute.");
    await computed;
    backend.computeSync(second.graph);
    for (const product of [first, second]) product.close();
  });

  it("refuses a graph that is being computed already", async () => {
    const product = productGraph(backend, 128, 4);
    const computed = backend.compute(product.graph);
    expect(() => backend.compute(product.graph)).toThrow("compute must wait: the graph is being computed.");
    await computed;
    product.close();
  });
});

describe("A closed backend", () => {
  it("refuses everything but to be closed again", () => {
    const backend = Backend.open(engine, { threads: 1 });
    const other = Backend.open(engine, { threads: 1 });
    const product = productGraph(other, 8);
    backend.close();
    backend.close();
    const closed = "The backend was used after it was closed.";
    expect(() => backend.bufferTypes()).toThrow(closed);
    expect(() => backend.compute(product.graph)).toThrow(closed);
    expect(() => backend.computeSync(product.graph)).toThrow(closed);
    expect(() => Graph.open(backend)).toThrow(closed);
    product.close();
    other.close();
  });
});
