import { type Architecture, openGguf, readModelConfig, type ShardRange } from "@rhone/model";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { matrix } from "../../../../packages/model/src/architectures/architecture.js";
import { qwenLike } from "../../../../packages/model/src/testing/qwen-like.js";
import { TINY_SHAPE, writeRandomModel } from "../../../../packages/model/src/testing/random-model.js";
import { openTestBackend } from "../testing/test-backend.js";
import { loadWeights } from "./load-weights.js";
import { WeightPool } from "./weight-pool.js";

const { backend } = openTestBackend();
afterAll(() => backend.close());

const N_EXPERTS = 3;
/** Qwen-like with the expert matrices of a mixture, three-dimensional as GGUF files hold them. */
const withExperts: Architecture = {
  ...qwenLike,
  layerTensors: {
    ...qwenLike.layerTensors,
    ffnUpExperts: matrix("ffn_up_exps", "block_sparse_moe.experts.w3", ({ dim, hiddenDim }) => [
      dim,
      hiddenDim,
      N_EXPERTS,
    ]),
  },
};

async function load(
  architecture: Architecture,
  {
    range = { first: 0, last: 1, embeds: false, heads: false },
    shape = TINY_SHAPE,
    ...request
  }: {
    readonly range?: ShardRange;
    readonly shape?: typeof TINY_SHAPE;
    readonly onProgress?: (bytes: number, total: number) => void;
    readonly signal?: AbortSignal;
  } = {},
) {
  const { path } = await writeRandomModel({ ...shape, architecture }, 1);
  const file = await openGguf(path);
  const config = readModelConfig(file, { architectures: [architecture] });
  const signal = new AbortController().signal;
  const weights = await loadWeights({
    ...{ pool: new WeightPool(backend), model: path, file, config, range, signal },
    onProgress: () => {},
    ...request,
  });
  onTestFinished(() => weights.close());
  return weights;
}

test("an expert tensor keeps its third extent", async () => {
  const { layers } = await load(withExperts);
  expect(layers.get(0)?.get("ffnUpExperts")?.ne).toEqual([32, 64, N_EXPERTS, 1]);
});

test("holds each role of its layers under the model's own layer numbers, and nothing of the others", async () => {
  const { layers, outer } = await load(qwenLike, { range: { first: 1, last: 2, embeds: false, heads: false } });
  expect([...layers.keys()]).toEqual([1]);
  expect([...(layers.get(1)?.keys() ?? [])]).toEqual(Object.keys(qwenLike.layerTensors));
  expect(outer).toEqual({});
});

test("a tied embedding is loaded once for each of its two uses", async () => {
  const { outer, bytes } = await load(qwenLike, {
    shape: { ...TINY_SHAPE, tiedEmbeddings: true },
    range: { first: 0, last: 0, embeds: true, heads: true },
  });
  expect(Object.keys(outer)).toEqual(["tokenEmbedding", "outputNorm", "output"]);
  expect(bytes).toBe(2 * 32 * 40 * 4 + 32 * 4);
});

test("progress counts every byte, ending at the total", async () => {
  const seen: (readonly [number, number])[] = [];
  const { bytes } = await load(qwenLike, { onProgress: (done, total) => seen.push([done, total]) });
  expect(seen).toHaveLength(Object.keys(qwenLike.layerTensors).length);
  expect(seen.map(([done]) => done)).toEqual(seen.map(([done]) => done).toSorted((a, b) => a - b));
  expect(seen.at(-1)).toEqual([bytes, bytes]);
});

test("stops between two tensors when it is aborted", async () => {
  const abort = new AbortController();
  const reason = new Error("the coordinator changed its mind");
  const stopAt = 5;
  const seen: number[] = [];
  const onProgress = (bytes: number): void => {
    if (seen.push(bytes) === stopAt) abort.abort(reason);
  };
  await expect(load(qwenLike, { onProgress, signal: abort.signal })).rejects.toBe(reason);
  expect(seen).toHaveLength(stopAt);
});
