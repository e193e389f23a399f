import { describe, it } from "vitest";
import { GgmlType } from "../elements/ggml-type.js";
import { quantizeChunk } from "../elements/quantize.js";
import { openEngine } from "../native/engine.js";
import type { Tensor } from "../tensors/tensor.js";
import { series } from "../testing/series.js";
import { expectClose, openTestGraph } from "../testing/test-graph.js";

const engine = openEngine();

const f16 = (values: Float32Array) =>
  quantizeChunk(engine, { type: GgmlType.F16, source: values, nPerRow: values.length });

describe("Operations of a graph", () => {
  it("multiplies matrices as JavaScript does", async () => {
    const { graph, run } = openTestGraph();
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
    const { graph, run } = openTestGraph();
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
    const { graph, run } = openTestGraph();
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
    const { graph, run } = openTestGraph();
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

  it("attends as softmax(q·k * scale + mask)·v does, with grouped heads", async () => {
    const { graph, run } = openTestGraph();
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
    const { graph, run } = openTestGraph();
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

  it("scales positions and divides frequencies for longer contexts", async () => {
    const { graph, run } = openTestGraph();
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
});
