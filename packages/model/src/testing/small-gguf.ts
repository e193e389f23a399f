import { join } from "node:path";
import { GgmlType } from "@rhone/ggml";
import type { GgufFile } from "../gguf/gguf-file.js";
import { type GgufValue, gguf } from "../gguf/gguf-value.js";
import { GgufWriter, type TensorPlan } from "../gguf/gguf-writer.js";
import { openGguf } from "../gguf/open-gguf.js";
import { tensorBytes } from "../gguf/tensor-type.js";
import { scratchFolder } from "./scratch-folder.js";

export interface SmallModel {
  readonly metadata: Map<string, GgufValue>;
  readonly tensors: TensorPlan[];
}

/**
 * A llama of 2 layers: dim 8, 2 heads of 4 over 1 KV head, hidden dim 16, 5 tokens. Change it, then `writeSmallModel`.
 */
export function smallModel(): SmallModel {
  const metadata = new Map<string, GgufValue>([
    ["general.architecture", gguf.string("llama")],
    ["general.name", gguf.string("small")],
    ["llama.block_count", gguf.u32(2)],
    ["llama.context_length", gguf.u32(64)],
    ["llama.embedding_length", gguf.u32(8)],
    ["llama.feed_forward_length", gguf.u32(16)],
    ["llama.attention.head_count", gguf.u32(2)],
    ["llama.attention.head_count_kv", gguf.u32(1)],
    ["llama.attention.layer_norm_rms_epsilon", gguf.f32(1e-5)],
    ["llama.vocab_size", gguf.u32(5)],
    ["tokenizer.ggml.model", gguf.string("llama")],
    ["tokenizer.ggml.tokens", gguf.strings(["<unk>", "<s>", "</s>", "▁a", "b"])],
    ["tokenizer.ggml.scores", gguf.f32s(Float32Array.of(0, 0, 0, -1, -2))],
    ["tokenizer.ggml.token_type", gguf.i32s(Int32Array.of(2, 3, 3, 1, 1))],
    ["tokenizer.ggml.bos_token_id", gguf.u32(1)],
    ["tokenizer.ggml.eos_token_id", gguf.u32(2)],
    ["tokenizer.ggml.add_bos_token", gguf.bool(true)],
  ]);
  const f32 = (name: string, ...ne: number[]): TensorPlan => ({ name: `${name}.weight`, type: GgmlType.F32, ne });
  const layers = [0, 1].flatMap((layer) => [
    f32(`blk.${layer}.attn_norm`, 8),
    f32(`blk.${layer}.attn_q`, 8, 8),
    f32(`blk.${layer}.attn_k`, 8, 4),
    f32(`blk.${layer}.attn_v`, 8, 4),
    f32(`blk.${layer}.attn_output`, 8, 8),
    f32(`blk.${layer}.ffn_norm`, 8),
    f32(`blk.${layer}.ffn_gate`, 8, 16),
    f32(`blk.${layer}.ffn_up`, 8, 16),
    f32(`blk.${layer}.ffn_down`, 16, 8),
  ]);
  return { metadata, tensors: [f32("token_embd", 8, 5), ...layers, f32("output_norm", 8), f32("output", 8, 5)] };
}

/** Writes a model whose tensors hold their own position in the file's order, and opens it. */
export async function writeSmallModel(model: SmallModel): Promise<GgufFile> {
  const path = join(await scratchFolder(), "small.gguf");
  await writeTensors(path, model);
  return openGguf(path);
}

/**
 * Writes a model as llama.cpp splits it, with `sizes` tensors in the parts and the metadata in the first; a tensor
 * holds its position in the whole. Returns the paths of the parts in order.
 */
export async function writeSmallParts(model: SmallModel, sizes: readonly number[]): Promise<string[]> {
  const folder = await scratchFolder();
  const paths: string[] = [];
  for (const [part, size] of sizes.entries()) {
    const path = join(folder, `small-${five(part + 1)}-of-${five(sizes.length)}.gguf`);
    const first = sizes.slice(0, part).reduce((sum, each) => sum + each, 0);
    const metadata = new Map<string, GgufValue>([
      ...(part === 0 ? model.metadata : []),
      ["split.no", { type: "u16", value: part }],
      ["split.count", { type: "u16", value: sizes.length }],
      ["split.tensors.count", { type: "i32", value: model.tensors.length }],
    ]);
    await writeTensors(path, { metadata, tensors: model.tensors.slice(first, first + size) }, first);
    paths.push(path);
  }
  return paths;
}

const five = (number: number): string => String(number).padStart(5, "0");

async function writeTensors(path: string, model: SmallModel, first = 0): Promise<void> {
  const writer = await GgufWriter.create(path, model);
  for (const [index, { name, type, ne }] of model.tensors.entries()) {
    await writer.write(name, new Uint8Array(tensorBytes(type, ne)).fill(first + index));
  }
  await writer.commit();
}
