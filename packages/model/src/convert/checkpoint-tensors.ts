import { RhoneError } from "@rhone/common";
import type { LayerRole, LlamaTensor } from "../config/llama-tensors.js";
import type { CheckpointTensor } from "./safetensors.js";

const LAYER_NAMES: Readonly<Record<LayerRole, string>> = {
  attnNorm: "input_layernorm",
  attnQ: "self_attn.q_proj",
  attnK: "self_attn.k_proj",
  attnV: "self_attn.v_proj",
  attnOutput: "self_attn.o_proj",
  ffnNorm: "post_attention_layernorm",
  ffnGate: "mlp.gate_proj",
  ffnUp: "mlp.up_proj",
  ffnDown: "mlp.down_proj",
};

const OUTER_NAMES = {
  tokenEmbedding: "model.embed_tokens.weight",
  outputNorm: "model.norm.weight",
  output: "lm_head.weight",
} as const;

/** RoPE's frequencies, which old checkpoints carry although they follow from rope_theta. */
const UNUSED = /^model\.layers\.\d+\.self_attn\.rotary_emb\.inv_freq$/;

/** Hugging Face's name of a tensor; undefined for RoPE factors, which no checkpoint stores. */
export function checkpointName(tensor: LlamaTensor): string | undefined {
  if (tensor.layer !== undefined) return `model.layers.${tensor.layer}.${LAYER_NAMES[tensor.role]}.weight`;
  return tensor.role === "ropeFreqs" ? undefined : OUTER_NAMES[tensor.role];
}

/**
 * The checkpoint's tensor behind each of `wanted`, by GGUF name. Throws TENSOR_MISSING, CHECKPOINT_MALFORMED for a shape that
 * config.json contradicts, and TENSOR_UNEXPECTED for a tensor that would be left out (inv_freq, and the copy of the embedding
 * that tied checkpoints may store as lm_head, are known and not needed).
 */
export function matchCheckpoint<T extends LlamaTensor>(
  checkpoint: ReadonlyMap<string, CheckpointTensor>,
  wanted: readonly T[],
  { dir, tiedEmbeddings }: { readonly dir: string; readonly tiedEmbeddings: boolean },
): ReadonlyMap<string, CheckpointTensor> {
  const matched = new Map<string, CheckpointTensor>();
  const used = new Set<string>();
  for (const tensor of wanted) {
    const name = checkpointName(tensor);
    if (name === undefined) continue;
    matched.set(tensor.name, findSource(checkpoint, { name, ne: tensor.ne, dir }));
    used.add(name);
  }
  for (const name of checkpoint.keys()) {
    if (used.has(name) || UNUSED.test(name) || (tiedEmbeddings && name === OUTER_NAMES.output)) continue;
    throw new RhoneError(
      "TENSOR_UNEXPECTED",
      `${dir}: the tensor ${name} has no place in a llama model and would be lost.`,
    );
  }
  return matched;
}

function findSource(
  checkpoint: ReadonlyMap<string, CheckpointTensor>,
  { name, ne, dir }: { readonly name: string; readonly ne: readonly number[]; readonly dir: string },
): CheckpointTensor {
  const source = checkpoint.get(name);
  if (source === undefined) throw new RhoneError("TENSOR_MISSING", `${dir}: the tensor ${name} is missing.`);
  const expected = ne.toReversed();
  if (source.shape.join() === expected.join()) return source;
  throw new RhoneError(
    "CHECKPOINT_MALFORMED",
    `${source.path}: ${name} has the shape [${source.shape.join(", ")}], but config.json gives [${expected.join(", ")}].`,
  );
}
