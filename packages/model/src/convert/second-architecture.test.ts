import { open } from "node:fs/promises";
import { join } from "node:path";
import { openEngine } from "@rhone/ggml";
import { describe, expect, test } from "vitest";
import { llama } from "../architectures/llama.js";
import { readModelConfig } from "../config/model-config.js";
import { tensorsOfShard } from "../config/shard-tensors.js";
import { openGguf } from "../gguf/open-gguf.js";
import { readTensorBytes } from "../gguf/read-tensor-bytes.js";
import { CONFIG, encodeSafetensors, numbersOf, SHAPES, writeCheckpoint } from "../testing/checkpoint.js";
import { qwenLike } from "../testing/qwen-like.js";
import { scratchFolder } from "../testing/scratch-folder.js";
import { convertCheckpoint } from "./convert-checkpoint.js";

const architectures = [llama, qwenLike];
const QWEN_CONFIG = { ...CONFIG, architectures: ["QwenLikeForCausalLM"], tie_word_embeddings: true };
const { "lm_head.weight": _, ...TIED } = SHAPES;
const QWEN_SHAPES = {
  ...TIED,
  "model.layers.0.self_attn.q_norm.weight": [4],
  "model.layers.0.self_attn.k_norm.weight": [4],
  "model.layers.0.self_attn.v_proj.bias": [4],
};

async function convert(config: object, shapes: Readonly<Record<string, readonly number[]>>) {
  const dir = await writeCheckpoint({ "config.json": config, "model.safetensors": encodeSafetensors(shapes) });
  const out = join(await scratchFolder(), "out.gguf");
  await convertCheckpoint(openEngine(), { dir, out, type: "f32", tokenizer: "none", architectures });
  return openGguf(out);
}

async function numbersIn(file: Awaited<ReturnType<typeof openGguf>>, name: string): Promise<readonly number[]> {
  const info = file.tensors.get(name);
  if (info === undefined) throw new Error(name);
  const handle = await open(file.path);
  const bytes = await readTensorBytes(handle, info);
  await handle.close();
  return [...new Float32Array(bytes.buffer)];
}

describe("a checkpoint of a second architecture", () => {
  test("keeps the rows of q and k in their order, because its RoPE pairs halves", async () => {
    const file = await convert(QWEN_CONFIG, QWEN_SHAPES);
    expect(await numbersIn(file, "blk.0.attn_q.weight")).toEqual(numbersOf([8, 8]));
    expect(await numbersIn(file, "blk.0.attn_k.weight")).toEqual(numbersOf([4, 8]));
    expect(await numbersIn(file, "blk.0.attn_q_norm.weight")).toEqual(numbersOf([4]));
  });

  test("becomes a file that the architecture reads whole", async () => {
    const file = await convert(QWEN_CONFIG, QWEN_SHAPES);
    const config = readModelConfig(file, { architectures });
    expect(config).toMatchObject({ architecture: { name: "qwen-like" }, nKvHeads: 1, tiedEmbeddings: true });
    const range = { first: 0, last: 1, embeds: false, heads: false };
    expect(tensorsOfShard(config, file, range).map(({ role }) => role)).toEqual(Object.keys(qwenLike.layerTensors));
  });

  test("may lack an optional tensor", async () => {
    const { "model.layers.0.self_attn.v_proj.bias": bias, ...withoutBias } = QWEN_SHAPES;
    expect(bias).toEqual([4]);
    expect((await convert(QWEN_CONFIG, withoutBias)).tensors.has("blk.0.attn_v.bias")).toBe(false);
  });

  test("must have the others", async () => {
    const { "model.layers.0.self_attn.q_norm.weight": norm, ...withoutNorm } = QWEN_SHAPES;
    expect(norm).toEqual([4]);
    await expect(convert(QWEN_CONFIG, withoutNorm)).rejects.toMatchObject({
      code: "TENSOR_MISSING",
      message: expect.stringContaining("self_attn.q_norm.weight"),
    });
  });

  test("is refused for a setting that its block does not compute", async () => {
    await expect(convert({ ...QWEN_CONFIG, hidden_act: "gelu" }, QWEN_SHAPES)).rejects.toMatchObject({
      code: "MODEL_UNSUPPORTED",
      message: expect.stringMatching(/hidden_act is "gelu"; for architecture qwen-like only "silu" is supported/),
    });
  });

  test("is no llama: its tensors are not dropped", async () => {
    const config = { ...QWEN_CONFIG, architectures: ["LlamaForCausalLM"] };
    await expect(convert(config, QWEN_SHAPES)).rejects.toMatchObject({
      code: "TENSOR_UNEXPECTED",
      message: expect.stringMatching(/a llama model has no tensor model\.layers\.0\.self_attn\.(q_norm|k_norm|v_proj)/),
    });
  });
});
