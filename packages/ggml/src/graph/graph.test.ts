import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Backend } from "../backend/backend.js";
import { GgmlType } from "../elements/ggml-type.js";
import { dequantize, quantizeChunk } from "../elements/quantize.js";
import { openEngine } from "../native/engine.js";
import type { Tensor } from "../tensors/tensor.js";
import { TensorStorage } from "../tensors/tensor-storage.js";
import { series, worstDifference } from "../testing/series.js";
import { Graph } from "./graph.js";

const engine = openEngine();
let backend: Backend;
let graph: Graph;

beforeAll(() => {
  backend = Backend.open(engine, { threads: 2 });
});
afterAll(() => backend.close());
beforeEach(() => {
  graph = Graph.open(backend, { maxTensors: 512 });
});
afterEach(() => graph.close());

const f16 = (values: Float32Array) =>
  quantizeChunk(engine, { type: GgmlType.F16, source: values, nPerRow: values.length });

async function run(result: Tensor, inputs: ReadonlyMap<Tensor, ArrayBufferView>): Promise<Float32Array> {
  graph.output(result);
  graph.allocate();
  for (const [tensor, data] of inputs) graph.setInput(tensor, data);
  await backend.compute(graph);
  return graph.read(result, new Float32Array(result.ne.reduce((a, b) => a * b)));
}

const expectClose = (actual: Float32Array, expected: ArrayLike<number>, tolerance: number) =>
  expect(worstDifference(actual, expected)).toBeLessThan(tolerance);

describe("Graph", () => {
  it("multiplies matrices as JavaScript does", async () => {
    const [k, n, m] = [64, 5, 3];
    const [w, x] = [series(k * n, 1), series(k * m, 2)];
    const weight = graph.input(GgmlType.F32, [k, n]);
    const input = graph.input(GgmlType.F32, [k, m]);
    const result = await run(
      graph.mulMat(weight, input),
      new Map([
        [weight, w],
        [input, x],
      ]),
    );
    const expected = Array.from({ length: n * m }, (_, at) => {
      const [row, column] = [at % n, Math.floor(at / n)];
      let sum = 0;
      for (let i = 0; i < k; i++) sum += (w[row * k + i] ?? 0) * (x[column * k + i] ?? 0);
      return sum;
    });
    expectClose(result, expected, 1e-4);
  });

  it("normalizes by the root mean square", async () => {
    const x = series(16);
    const input = graph.input(GgmlType.F32, [16]);
    const result = await run(graph.rmsNorm(input, 1e-5), new Map([[input, x]]));
    const root = Math.sqrt(x.reduce((sum, v) => sum + v * v, 0) / 16 + 1e-5);
    expectClose(
      result,
      x.map((v) => v / root),
      1e-6,
    );
  });

  it("gates with silu(gate) * up", async () => {
    const [g, u] = [series(32, 3), series(32, 4)];
    const gate = graph.input(GgmlType.F32, [32]);
    const up = graph.input(GgmlType.F32, [32]);
    const result = await run(
      graph.swigluSplit(gate, up),
      new Map([
        [gate, g],
        [up, u],
      ]),
    );
    expectClose(
      result,
      g.map((v, i) => (v / (1 + Math.exp(-v))) * (u[i] ?? 0)),
      1e-5,
    );
  });

  it.each([
    { mode: "norm", pairs: "neighbours", partner: (dim: number) => dim ^ 1, pair: (dim: number) => dim >> 1 },
    { mode: "neox", pairs: "halves", partner: (dim: number) => dim ^ 4, pair: (dim: number) => dim & 3 },
  ] as const)("rotates $pairs by position in mode $mode", async ({ mode, partner, pair }) => {
    const [dims, heads, tokens] = [8, 2, 3];
    const x = series(dims * heads * tokens);
    const positions = Int32Array.of(0, 7, 1000);
    const input = graph.input(GgmlType.F32, [dims, heads, tokens]);
    const at = graph.input(GgmlType.I32, [tokens]);
    const result = await run(
      graph.ropeExt(input, at, { mode, dims, freqBase: 10000 }),
      new Map<Tensor, ArrayBufferView>([
        [input, x],
        [at, positions],
      ]),
    );
    const expected = x.map((value, i) => {
      const dim = i % dims;
      const token = Math.floor(i / (dims * heads));
      const angle = (positions[token] ?? 0) * 10000 ** ((-2 * pair(dim)) / dims);
      const other = x[i - dim + partner(dim)] ?? 0;
      const sign = partner(dim) > dim ? -1 : 1;
      return value * Math.cos(angle) + sign * other * Math.sin(angle);
    });
    expectClose(result, expected, 1e-4);
  });

  it("writes rows into a cache and gathers them in the same step", async () => {
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

  it("attends as softmax(q·k * scale + mask)·v does, with grouped heads", async () => {
    const [headDim, heads, kvHeads, tokens, kv] = [32, 4, 2, 3, 7];
    const [q, k, v] = [
      series(headDim * heads * tokens, 1),
      series(headDim * kvHeads * kv, 2),
      series(headDim * kvHeads * kv, 3),
    ];
    const visible = (token: number, at: number) => at <= token + 4;
    const mask = new Float32Array(kv * tokens).map((_, i) =>
      visible(Math.floor(i / kv), i % kv) ? 0 : Number.NEGATIVE_INFINITY,
    );
    const query = graph.input(GgmlType.F32, [headDim, tokens, heads]);
    const keys = graph.input(GgmlType.F16, [headDim, kv, kvHeads]);
    const values = graph.input(GgmlType.F16, [headDim, kv, kvHeads]);
    const masked = graph.input(GgmlType.F16, [kv, tokens]);
    const scale = 1 / Math.sqrt(headDim);
    const result = await run(
      graph.flashAttnExt({ q: query, k: keys, v: values, mask: masked, scale }),
      new Map<Tensor, ArrayBufferView>([
        [query, q],
        [keys, f16(k)],
        [values, f16(v)],
        [masked, f16(mask)],
      ]),
    );
    const expected = new Float32Array(result.length);
    for (let token = 0; token < tokens; token++) {
      for (let head = 0; head < heads; head++) {
        const group = Math.floor(head / (heads / kvHeads));
        const scores = Array.from({ length: kv }, (_, at) => {
          if (!visible(token, at)) return 0;
          let sum = 0;
          for (let d = 0; d < headDim; d++)
            sum += (q[(head * tokens + token) * headDim + d] ?? 0) * (k[(group * kv + at) * headDim + d] ?? 0);
          return Math.exp(sum * scale);
        });
        const total = scores.reduce((a, b) => a + b);
        for (let d = 0; d < headDim; d++) {
          const at = (token * heads + head) * headDim + d;
          expected[at] = scores.reduce(
            (sum, score, i) => sum + (score / total) * (v[(group * kv + i) * headDim + d] ?? 0),
            0,
          );
        }
      }
    }
    expectClose(result, expected, 5e-3);
  });

  it("repeats the second operand of add and mul over the first", async () => {
    const [x, row] = [series(12, 1), series(4, 2)];
    for (const { op, apply } of [
      { op: "add", apply: (a: number, b: number) => a + b },
      { op: "mul", apply: (a: number, b: number) => a * b },
    ] as const) {
      graph.reset();
      const [a, b] = [graph.input(GgmlType.F32, [4, 3]), graph.input(GgmlType.F32, [4])];
      const inputs = new Map([
        [a, x],
        [b, row],
      ]);
      expectClose(
        await run(graph[op](a, b), inputs),
        x.map((value, i) => apply(value, row[i % 4] ?? 0)),
        1e-6,
      );
    }
  });

  it.each([
    { dimension: 0, expected: [0, 1, 10, 11, 12, 2, 3, 13, 14, 15] },
    { dimension: 1, expected: [0, 1, 2, 3, 10, 11, 12, 13] },
  ])("joins tensors along dimension $dimension", async ({ dimension, expected }) => {
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

  it("scales positions and divides frequencies for longer contexts", async () => {
    const dims = 8;
    const [x, factors] = [series(dims), Float32Array.of(1, 2, 4, 8)];
    const input = graph.input(GgmlType.F32, [dims, 1, 1]);
    const at = graph.input(GgmlType.I32, [1]);
    const freqFactors = graph.input(GgmlType.F32, [dims / 2]);
    const rotated = graph.ropeExt(input, at, { mode: "norm", dims, freqBase: 10000, freqScale: 0.5, freqFactors });
    const result = await run(
      rotated,
      new Map<Tensor, ArrayBufferView>([
        [input, x],
        [at, Int32Array.of(30)],
        [freqFactors, factors],
      ]),
    );
    const expected = x.map((value, dim) => {
      const angle = (30 * 0.5 * 10000 ** (-(dim - (dim % 2)) / dims)) / (factors[dim >> 1] ?? 1);
      const other = x[dim ^ 1] ?? 0;
      return value * Math.cos(angle) + (dim % 2 === 0 ? -1 : 1) * other * Math.sin(angle);
    });
    expectClose(result, expected, 1e-5);
  });

  it("knows which inputs anything computed needs", () => {
    const [used, unused] = [graph.input(GgmlType.F32, [16]), graph.input(GgmlType.F32, [16])];
    graph.add(unused, unused);
    graph.output(graph.add(used, used));
    graph.allocate();
    expect([graph.isNeeded(used), graph.isNeeded(unused)]).toEqual([true, false]);
    expect(() => graph.setInput(unused, new Float32Array(16))).toThrow(/has no memory/);
  });

  it("reads part of an output", () => {
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
    const old = graph.input(GgmlType.F32, [4]);
    graph.reset();
    expect(() => graph.add(old, old)).toThrow(/tensor of the graph was used after the graph was reset/);
  });

  it("refuses a weight whose storage was closed, while building and while computing", () => {
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
    const input = graph.input(GgmlType.F32, [1]);
    expect(() => {
      for (let i = 0; i < 600; i++) graph.add(input, input);
    }).toThrow(/more than 512 tensors/);
  });

  it("throws OUT_OF_MEMORY with the numbers when intermediate results don't fit", () => {
    const input = graph.input(GgmlType.F32, [2 ** 20]);
    const table = graph.input(GgmlType.F32, [2 ** 20, 2 ** 26]);
    graph.output(graph.mul(table, input));
    expect(() => graph.allocate()).toThrowError(
      expect.objectContaining({ code: "OUT_OF_MEMORY", message: expect.stringMatching(/needs \d{15,} bytes/) }),
    );
  });

  it("refuses to see a tensor as one of another size", () => {
    const input = graph.input(GgmlType.F16, [64, 4]);
    expect(() => graph.reinterpret(input, GgmlType.I32, [64, 4])).toThrow(
      /can't be reinterpreted as I32 \[64, 4, 1, 1\]: that takes 1024 bytes, the tensor 512/,
    );
    expect(() => graph.reinterpret(graph.view2d(input, [32, 4], [128]), GgmlType.I32, [16, 4])).toThrow(/with gaps/);
  });
});
