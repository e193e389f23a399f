import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { CheckpointDtype } from "../convert/safetensors.js";
import { floatToHalf } from "../quantization/half.js";
import { scratchFolder } from "./scratch-folder.js";

/** A Mistral of 1 layer in Hugging Face's shapes: dim 8, 2 heads of 4 over 1 KV head, hidden dim 16, 6 tokens. */
export const CONFIG = {
  architectures: ["MistralForCausalLM"],
  hidden_size: 8,
  intermediate_size: 16,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  head_dim: 4,
  vocab_size: 6,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-5,
  rope_theta: 10_000,
  sliding_window: 16,
  hidden_act: "silu",
  bos_token_id: 1,
  eos_token_id: 2,
};

export const SHAPES: Readonly<Record<string, readonly number[]>> = {
  "model.embed_tokens.weight": [6, 8],
  "model.layers.0.input_layernorm.weight": [8],
  "model.layers.0.self_attn.q_proj.weight": [8, 8],
  "model.layers.0.self_attn.k_proj.weight": [4, 8],
  "model.layers.0.self_attn.v_proj.weight": [4, 8],
  "model.layers.0.self_attn.o_proj.weight": [8, 8],
  "model.layers.0.post_attention_layernorm.weight": [8],
  "model.layers.0.mlp.gate_proj.weight": [16, 8],
  "model.layers.0.mlp.up_proj.weight": [16, 8],
  "model.layers.0.mlp.down_proj.weight": [8, 16],
  "model.norm.weight": [8],
  "lm_head.weight": [6, 8],
};

/** The numbers of a tensor of SHAPES: its row and column in one, exact in every format. */
export function numbersOf(shape: readonly number[]): number[] {
  const columns = shape.at(-1) ?? 1;
  const size = shape.reduce((product, extent) => product * extent, 1);
  return Array.from({ length: size }, (_, index) => Math.floor(index / columns) + (index % columns) / 16);
}

/** The bytes of a safetensors file with these tensors, one after another. */
export function encodeSafetensors(
  shapes: Readonly<Record<string, readonly number[]>>,
  dtype: CheckpointDtype = "F32",
): Buffer {
  const header: Record<string, unknown> = { __metadata__: { format: "pt" } };
  const parts: Buffer[] = [];
  let offset = 0;
  for (const [name, shape] of Object.entries(shapes)) {
    const bytes = encodeNumbers(numbersOf(shape), dtype);
    header[name] = { dtype, shape, data_offsets: [offset, offset + bytes.length] };
    parts.push(bytes);
    offset += bytes.length;
  }
  return withHeader(header, Buffer.concat(parts));
}

export function withHeader(header: unknown, data: Buffer): Buffer {
  const json = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, data]);
}

function encodeNumbers(numbers: readonly number[], dtype: CheckpointDtype): Buffer {
  if (dtype === "F32") return Buffer.from(Float32Array.from(numbers).buffer);
  if (dtype === "F16") return Buffer.from(Uint16Array.from(numbers, floatToHalf).buffer);
  const words = new Uint16Array(Float32Array.from(numbers).buffer);
  return Buffer.from(Uint16Array.from(numbers, (_, index) => words[2 * index + 1] ?? 0).buffer);
}

/** A directory with the files given: text and bytes as they are, anything else as JSON. */
export async function writeCheckpoint(files: Readonly<Record<string, unknown>>): Promise<string> {
  const dir = await scratchFolder();
  for (const [name, content] of Object.entries(files)) {
    const raw = typeof content === "string" || Buffer.isBuffer(content);
    await writeFile(join(dir, name), raw ? content : JSON.stringify(content));
  }
  return dir;
}

/** A `tokenizer.model`: pieces as [text, score, type], of BPE unless told otherwise. */
export function encodeSentencePiece(pieces: readonly (readonly [string, number, number])[], modelType = 2): Buffer {
  const field = (number: number, bytes: Buffer): Buffer =>
    Buffer.concat([Buffer.of(number * 8 + 2, bytes.length), bytes]);
  const encoded = pieces.map(([text, score, type]) => {
    const float = Buffer.alloc(4);
    float.writeFloatLE(score);
    return field(1, Buffer.concat([field(1, Buffer.from(text)), Buffer.of(2 * 8 + 5), float, Buffer.of(3 * 8, type)]));
  });
  return Buffer.concat([...encoded, field(2, Buffer.of(3 * 8, modelType)), field(3, Buffer.of(3 * 8, 1))]);
}

export const PIECES = [
  ["<unk>", 0, 2],
  ["<s>", 0, 3],
  ["</s>", 0, 3],
  ["<0x0A>", 0, 6],
  ["▁a", -1.5, 1],
] as const;
