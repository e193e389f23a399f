import { describe, expect, test } from "vitest";
import { llama } from "../architectures/llama.js";
import { type ModelShape, wholeModel } from "../architectures/model-shape.js";
import { openGguf } from "../gguf/open-gguf.js";
import { qwenLike } from "../testing/qwen-like.js";
import { TINY_SHAPE, writeRandomModel } from "../testing/random-model.js";
import { readModelConfig } from "./model-config.js";
import { shardBytes } from "./model-size.js";
import { tensorsOfShard } from "./shard-tensors.js";

const architectures = [llama, qwenLike];

async function open(shape: Partial<ModelShape> = {}, architecture = qwenLike) {
  const { path } = await writeRandomModel({ ...TINY_SHAPE, ...shape, architecture }, 1);
  const file = await openGguf(path);
  return { file, config: readModelConfig(file, { architectures }) };
}

describe("a file of a second architecture", () => {
  test("is read under its own prefix", async () => {
    const { config } = await open({ slidingWindow: 100 });
    expect(config).toMatchObject({ architecture: { name: "qwen-like" }, dim: 32, headDim: 16, slidingWindow: 100 });
  });

  test("is refused where only others are known", async () => {
    const { file } = await open();
    expect(() => readModelConfig(file)).toThrow(/architecture qwen-like is not supported; supported are llama/);
  });

  test("has the tensors that its architecture names, and their bytes", async () => {
    const { file, config } = await open();
    const tensors = tensorsOfShard(config, file, { first: 0, last: 1, embeds: false, heads: false });
    expect(tensors.map(({ role }) => role)).toEqual(Object.keys(qwenLike.layerTensors));
    // Norms 2 * 32 + 2 * 16, bias 32, q and its output 2 * 32 * 64, k and v 2 * 32 * 32, feed-forward 3 * 32 * 64.
    const numbers = 64 + 32 + 32 + 4096 + 2048 + 6144;
    expect(shardBytes(config, file, { first: 0, last: 1, embeds: false, heads: false })).toBe(4 * numbers);
    expect(shardBytes(config, file, wholeModel(config))).toBe(4 * (2 * numbers + 2 * 32 * 40 + 32));
  });

  test("may lack an optional tensor, but no other", async () => {
    const { file, config } = await open();
    const without = (name: string) => ({
      ...file,
      tensors: new Map([...file.tensors].filter(([candidate]) => candidate !== name)),
    });
    const range = { first: 0, last: 1, embeds: false, heads: false };
    const roles = tensorsOfShard(config, without("blk.0.attn_v.bias"), range).map(({ role }) => role);
    expect(roles).toEqual(Object.keys(qwenLike.layerTensors).filter((role) => role !== "attnVBias"));
    expect(() => tensorsOfShard(config, without("blk.0.attn_q_norm.weight"), range)).toThrow(
      expect.objectContaining({ code: "TENSOR_MISSING", message: expect.stringContaining("blk.0.attn_q_norm.weight") }),
    );
  });

  test("has no tensor of another architecture's", async () => {
    const { file, config } = await open();
    expect(() => tensorsOfShard({ ...config, architecture: llama }, file, wholeModel(config))).toThrow(
      expect.objectContaining({
        code: "TENSOR_UNEXPECTED",
        message: expect.stringMatching(/a llama model of 2 layers has no tensor blk\.0\.attn_q_norm\.weight/),
      }),
    );
  });
});
