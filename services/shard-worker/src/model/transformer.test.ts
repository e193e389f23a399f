import { GgmlType, Graph, type Tensor } from "@rhone/ggml";
import { type Architecture, type ModelConfig, openGguf, readModelConfig } from "@rhone/model";
import { afterAll, describe, expect, onTestFinished, test } from "vitest";
import { qwenLike } from "../../../../packages/model/src/testing/qwen-like.js";
import {
  type RandomModel,
  randomNumbers,
  TINY_SHAPE,
  writeRandomModel,
} from "../../../../packages/model/src/testing/random-model.js";
import { type AttentionSpan, StepInputs } from "../attention/attention.js";
import { GatherAttention } from "../attention/gather-attention.js";
import { Pages, PageTable } from "../kv-cache/pages.js";
import {
  add,
  attention,
  eachHead,
  linear,
  type Rows,
  rmsNorm,
  ropeNeox,
  swiglu,
  worstDifference,
} from "../testing/plain-math.js";
import { openTestBackend } from "../testing/test-backend.js";
import { loadWeights } from "./load-weights.js";
import { type Shard, transformer } from "./transformer.js";
import { WeightPool } from "./weight-pool.js";

const PAGE_SIZE = 8;
const { backend } = openTestBackend();
const graph = Graph.open(backend);
afterAll(() => {
  graph.close();
  backend.close();
});

/** Loads layers [first, last) of a model file, with 16 pages of 8 positions. */
async function loadLayers(path: string, architectures: readonly Architecture[], layers?: readonly [number, number]) {
  const file = await openGguf(path);
  const config = readModelConfig(file, { architectures });
  const [first, last] = layers ?? [0, config.nLayers];
  const range = { first, last, embeds: false, heads: false };
  const signal = new AbortController().signal;
  const weights = await loadWeights({
    ...{ pool: new WeightPool(backend), model: path, file, config, range, signal },
    onProgress: () => {},
  });
  const kvDim = config.nKvHeads * config.headDim;
  const shape = { layers: [...weights.layers.keys()], pages: 16, pageSize: PAGE_SIZE, kvDim, type: GgmlType.F32 };
  const pages = Pages.open(backend, shape);
  pages.prepare(Array.from({ length: shape.pages }, (_, page) => page));
  onTestFinished(() => {
    pages.close();
    weights.close();
  });
  return { config, weights, pages };
}

interface Step {
  readonly spans: readonly AttentionSpan[];
  /** One row per token, span by span. */
  readonly x: Rows;
  /** Rows of the last layer to compute, by their index in the order of computation; all when absent. */
  readonly wanted?: readonly number[];
}

/** Runs a step; returns the hidden states in the frame's order, or those of the wanted rows. */
async function run(shard: Shard, { spans, x, wanted }: Step): Promise<Rows> {
  const { dim } = shard.config;
  graph.reset();
  const inputs = new StepInputs(graph);
  const attended = new GatherAttention(graph, spans, { inputs, pages: shard.pages, config: shard.config });
  const { order } = attended;
  const positions = inputs.add(
    GgmlType.I32,
    [order.rows],
    order.eachRow((span, i) => span.position + i),
  );
  const frame = new Uint8Array(Float32Array.from(x.flat()).buffer);
  const hidden = inputs.add(GgmlType.F32, [dim, order.rows], order.toComputed(frame, dim * 4));
  const rows = wanted === undefined ? "all" : inputs.add(GgmlType.I32, [wanted.length], Int32Array.from(wanted));
  const step = { positions, attention: attended };
  const out = graph.output(transformer(graph, shard, { x: hidden, step, wanted: rows }) as Tensor);
  graph.allocate();
  inputs.fill();
  await backend.compute(graph);
  const bytes = graph.read(out, new Uint8Array(out.packedBytes));
  const result = wanted === undefined ? order.toFrame(bytes, dim * 4) : bytes;
  const numbers = new Float32Array(result.slice().buffer);
  return Array.from({ length: numbers.length / dim }, (_, row) => [...numbers.subarray(row * dim, (row + 1) * dim)]);
}

/** The block of `qwenLike` on a whole sequence, in plain numbers. */
function qwenLayer(x: Rows, layer: number, config: ModelConfig, { numbers }: RandomModel): Rows {
  const { headDim, normEps, ropeTheta } = config;
  const w = (name: string): Float32Array => numbers.get(`blk.${layer}.${name}`) ?? new Float32Array();
  const rotated = (y: Rows, headNorm: string): Rows =>
    eachHead(y, headDim, (heads, position) =>
      rmsNorm(heads, w(headNorm), normEps).map((head) => ropeNeox(head, position, ropeTheta)),
    );
  const normed = rmsNorm(x, w("attn_norm.weight"), normEps);
  const q = rotated(linear(normed, w("attn_q.weight")), "attn_q_norm.weight");
  const k = rotated(linear(normed, w("attn_k.weight")), "attn_k_norm.weight");
  const v = linear(normed, w("attn_v.weight")).map((row) => row.map((value, i) => value + (w("attn_v.bias")[i] ?? 0)));
  const attended = attention(q, { k, v }, { headDim, slidingWindow: config.slidingWindow });
  const hidden = add(x, linear(attended, w("attn_output.weight")));
  const y = rmsNorm(hidden, w("ffn_norm.weight"), normEps);
  const gated = swiglu(linear(y, w("ffn_gate.weight")), linear(y, w("ffn_up.weight")));
  return add(hidden, linear(gated, w("ffn_down.weight")));
}

const randomRows = (count: number, dim: number, seed: number): Rows => {
  const random = randomNumbers(seed);
  return Array.from({ length: count }, () => Array.from({ length: dim }, random));
};

function tableOf(...pages: readonly number[]): PageTable {
  const table = new PageTable(PAGE_SIZE);
  table.append(pages);
  return table;
}

describe("an architecture that is defined outside the packages", () => {
  test.each([0, 12])("computes what plain arithmetic gives, sliding window %d", async (slidingWindow) => {
    const model = await writeRandomModel({ ...TINY_SHAPE, slidingWindow, architecture: qwenLike }, 7);
    const shard = await loadLayers(model.path, [qwenLike]);
    const { config } = shard;
    const [one, two] = [randomRows(30, config.dim, 1), randomRows(11, config.dim, 2)];
    const [tableOne, tableTwo] = [tableOf(3, 9, 0, 5), tableOf(7, 2)];
    const got: { one: Rows; two: Rows } = { one: [], two: [] };
    // 25 and 10 rows of prompt in two chunks, then rows one by one, the two sequences side by side while both last.
    const chunks = [
      [20, 10],
      [5, 1],
      [1, 0],
      [1, 0],
      [3, 0],
    ] as const;
    for (const [countOne, countTwo] of chunks) {
      const [p, r] = [got.one.length, got.two.length];
      const spans = [
        { position: p, count: countOne, firstPage: 0, table: tableOne },
        { position: r, count: countTwo, firstPage: 0, table: tableTwo },
      ].filter(({ count }) => count > 0);
      const rows = await run(shard, { spans, x: [...one.slice(p, p + countOne), ...two.slice(r, r + countTwo)] });
      got.one = [...got.one, ...rows.slice(0, countOne)];
      got.two = [...got.two, ...rows.slice(countOne)];
    }
    const expected = (x: Rows): Rows => [0, 1].reduce((hidden, layer) => qwenLayer(hidden, layer, config, model), x);
    expect(worstDifference(got.one, expected(one))).toBeLessThan(1e-4);
    expect(worstDifference(got.two, expected(two))).toBeLessThan(1e-4);
  });
});

describe("transformer", () => {
  test("computes only the wanted rows of the last layer, the same as among all", async () => {
    const { path } = await writeRandomModel({ ...TINY_SHAPE, architecture: qwenLike }, 3);
    const shard = await loadLayers(path, [qwenLike]);
    const x = randomRows(6, shard.config.dim, 4);
    const spans = [{ position: 0, count: 6, firstPage: 0, table: tableOf(1) }];
    const all = await run(shard, { spans, x });
    const some = await run(shard, { spans, x, wanted: [5, 2] });
    expect(worstDifference(some, [all[5] ?? [], all[2] ?? []])).toBeLessThan(1e-6);
  });

  test("two shards of one layer each give what one shard of two gives", async () => {
    const { path } = await writeRandomModel({ ...TINY_SHAPE, architecture: qwenLike }, 5);
    const whole = await loadLayers(path, [qwenLike]);
    const x = randomRows(4, whole.config.dim, 6);
    const spans = [{ position: 0, count: 4, firstPage: 0, table: tableOf(2) }];
    const expected = await run(whole, { spans, x });
    const first = await loadLayers(path, [qwenLike], [0, 1]);
    const second = await loadLayers(path, [qwenLike], [1, 2]);
    expect(await run(second, { spans, x: await run(first, { spans, x }) })).toEqual(expected);
  });

  test("a block that asks for a tensor that the layer lacks is named", async () => {
    const { path } = await writeRandomModel({ ...TINY_SHAPE, architecture: qwenLike }, 8);
    const faulty: Architecture = { ...qwenLike, block: (x, layer) => layer.linear(x, "attnQBias") };
    const shard = await loadLayers(path, [faulty]);
    const spans = [{ position: 0, count: 1, firstPage: 0, table: tableOf(2) }];
    await expect(run(shard, { spans, x: randomRows(1, shard.config.dim, 1) })).rejects.toMatchObject({
      code: "STAGE_FAILED",
      message: "Layer 0 holds no tensor attnQBias, which the block of qwen-like asks for.",
    });
  });
});
