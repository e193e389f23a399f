import { RhoneError } from "@rhone/common/rhone-error";
import { GgmlType } from "@rhone/ggml";
import type { ShardRange } from "../architectures/model-shape.js";
import { type ModelTensor, modelTensors } from "../architectures/model-tensors.js";
import type { GgufFile } from "../gguf/gguf-file.js";
import type { TensorInfo } from "../gguf/tensor-info.js";
import { tensorTypeName } from "../gguf/tensor-type.js";
import type { ModelConfig } from "./model-config.js";

/**
 * A tensor of the model with its place in the file. With tied embeddings `output` is the file's `token_embd.weight`.
 */
export type ShardTensor = ModelTensor & { readonly info: TensorInfo };

/**
 * The tensors that a shard needs, in the order of the forward pass, each found in the file with the shape that `config`
 * gives; optional tensors that the file lacks are left out. Checks the names of the whole file, so that no part of a
 * model is silently ignored: throws TENSOR_MISSING, TENSOR_UNEXPECTED (a bias that the architecture does not have),
 * GGUF_MALFORMED for a wrong shape, INTERNAL for an impossible range.
 *
 * Known and unused: `blk.N.attn_rot_embd.weight` and `blk.N.attn_rope_freqs.weight`, which early converters wrote; ggml
 * computes the same numbers from ropeTheta.
 */
export function tensorsOfShard(config: ModelConfig, file: GgufFile, range: ShardRange): readonly ShardTensor[] {
  checkRange(config, range);
  checkNames(config, file);
  return modelTensors(config, range)
    .filter(({ name, traits }) => traits.optional !== true || file.tensors.has(name))
    .map((tensor) => ({ ...tensor, info: find(file, tensor) }));
}

const OUTER_NAMES = new Set(["token_embd.weight", "output_norm.weight", "output.weight", "rope_freqs.weight"]);
const UNUSED = ["attn_rot_embd.weight", "attn_rope_freqs.weight"];
const LAYER_TENSOR = /^blk\.(0|[1-9]\d*)\.(.+)$/;

function checkNames({ architecture, nLayers }: ModelConfig, file: GgufFile): void {
  const known = new Set([...Object.values(architecture.layerTensors).map(({ name }) => name), ...UNUSED]);
  for (const name of file.tensors.keys()) {
    if (OUTER_NAMES.has(name)) continue;
    const [, layer, part = ""] = LAYER_TENSOR.exec(name) ?? [];
    if (layer !== undefined && Number(layer) < nLayers && known.has(part)) continue;
    throw new RhoneError(
      "TENSOR_UNEXPECTED",
      `${file.path}: a ${architecture.name} model of ${nLayers} layers has no tensor ${name}; ` +
        "ignoring it would compute another model.",
    );
  }
}

function checkRange({ nLayers }: ModelConfig, { first, last }: ShardRange): void {
  const whole = Number.isInteger(first) && Number.isInteger(last);
  if (whole && first >= 0 && first <= last && last <= nLayers) return;
  throw new RhoneError("INTERNAL", `Layers [${first}, ${last}) are not part of a model of ${nLayers} layers.`);
}

function find(file: GgufFile, { name, ne, use }: ModelTensor): TensorInfo {
  const info = file.tensors.get(name);
  if (info === undefined) throw new RhoneError("TENSOR_MISSING", `${file.path}: the tensor ${name} is missing.`);
  const same = [0, 1, 2, 3].every((dim) => (info.ne[dim] ?? 1) === (ne[dim] ?? 1));
  if (!same) {
    throw new RhoneError(
      "GGUF_MALFORMED",
      `${file.path}: ${name} has the shape [${info.ne.join(", ")}], but the hyper-parameters give ` +
        `[${ne.join(", ")}] (innermost first).`,
    );
  }
  // They enter the graph as they are, element by element.
  if (use === "norm" && info.type !== GgmlType.F32) {
    throw new RhoneError(
      "TENSOR_TYPE_UNSUPPORTED",
      `${file.path}: ${name} is stored as ${tensorTypeName(info.type)}; norms, biases and RoPE factors must be F32.`,
    );
  }
  return info;
}
