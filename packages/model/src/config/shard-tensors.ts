import { RhoneError } from "@rhone/common";
import { GgmlType } from "@rhone/ggml";
import type { GgufFile } from "../gguf/open-gguf.js";
import type { TensorInfo } from "../gguf/tensor-info.js";
import { tensorTypeName } from "../gguf/tensor-type.js";
import { LAYER_TENSOR_NAMES, type LayerRole, llamaTensors, type OuterRole, type ShardRange } from "./llama-tensors.js";
import type { ModelConfig } from "./model-config.js";

/** One tensor with its place in the forward pass. With tied embeddings `output` is the file's `token_embd.weight`. */
export type ShardTensor =
  | { readonly role: LayerRole; readonly layer: number; readonly info: TensorInfo }
  | { readonly role: OuterRole; readonly layer?: undefined; readonly info: TensorInfo };

/**
 * The tensors that a shard needs, in the order of the forward pass, each found in the file with the shape that `config` gives.
 * Checks the whole file's names, so that nothing of a model is silently left out: throws TENSOR_MISSING, TENSOR_UNEXPECTED
 * (such as biases, which no supported model has), GGUF_MALFORMED for a wrong shape, INTERNAL for an impossible range.
 *
 * Known and unused: `blk.N.attn_rot_embd.weight` and `blk.N.attn_rope_freqs.weight`, which early converters wrote; ggml
 * computes the same numbers from ropeTheta.
 */
export function tensorsOfShard(config: ModelConfig, file: GgufFile, range: ShardRange): readonly ShardTensor[] {
  checkRange(config, range);
  checkNames(config, file);
  return llamaTensors(config, range).map(({ name, ne, ...place }) => ({ ...place, info: find(file, name, ne) }));
}

const OUTER_NAMES = new Set(["token_embd.weight", "output_norm.weight", "output.weight", "rope_freqs.weight"]);
const LAYER_NAMES = new Set([...Object.values(LAYER_TENSOR_NAMES), "attn_rot_embd", "attn_rope_freqs"]);
const LAYER_TENSOR = /^blk\.(0|[1-9]\d*)\.(\w+)\.weight$/;

function checkNames({ nLayers }: ModelConfig, file: GgufFile): void {
  for (const name of file.tensors.keys()) {
    if (OUTER_NAMES.has(name)) continue;
    const [, layer, part = ""] = LAYER_TENSOR.exec(name) ?? [];
    if (layer !== undefined && Number(layer) < nLayers && LAYER_NAMES.has(part)) continue;
    throw new RhoneError(
      "TENSOR_UNEXPECTED",
      `${file.path}: the tensor ${name} has no place in a llama model of ${nLayers} layers, so the model would not be computed as it was made`,
    );
  }
}

function checkRange({ nLayers }: ModelConfig, { first, last }: ShardRange): void {
  const whole = Number.isInteger(first) && Number.isInteger(last);
  if (whole && first >= 0 && first <= last && last <= nLayers) return;
  throw new RhoneError("INTERNAL", `Layers [${first}, ${last}) are not part of a model of ${nLayers} layers`);
}

function find(file: GgufFile, name: string, ne: readonly number[]): TensorInfo {
  const info = file.tensors.get(name);
  if (info === undefined) throw new RhoneError("TENSOR_MISSING", `${file.path}: the tensor ${name} is missing`);
  const same = [0, 1, 2, 3].every((dim) => (info.ne[dim] ?? 1) === (ne[dim] ?? 1));
  if (!same) {
    throw new RhoneError(
      "GGUF_MALFORMED",
      `${file.path}: ${name} has the shape [${info.ne.join(", ")}], but the hyper-parameters give [${ne.join(", ")}] (innermost first)`,
    );
  }
  // Norms and frequency factors enter the graph unquantized.
  if (ne.length === 1 && info.type !== GgmlType.F32) {
    throw new RhoneError(
      "TENSOR_TYPE_UNSUPPORTED",
      `${file.path}: ${name} is stored as ${tensorTypeName(info.type)}; norms and RoPE factors must be F32`,
    );
  }
  return info;
}
