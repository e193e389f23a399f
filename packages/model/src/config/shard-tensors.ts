import { RhoneError } from "@rhone/common";
import { GgmlType } from "@rhone/ggml";
import type { GgufFile } from "../gguf/open-gguf.js";
import type { TensorInfo } from "../gguf/tensor-info.js";
import { tensorTypeName } from "../gguf/tensor-type.js";
import type { ModelConfig } from "./model-config.js";

/** Which part of the model a stage holds: layers [first, last), and what stands before and after all layers. */
export interface ShardRange {
  readonly first: number;
  readonly last: number;
  /** Turns token ids into hidden states: the first stage. */
  readonly embeds: boolean;
  /** Final norm and logits: the last stage. */
  readonly heads: boolean;
}

export type LayerRole =
  | "attnNorm"
  | "attnQ"
  | "attnK"
  | "attnV"
  | "attnOutput"
  | "ffnNorm"
  | "ffnGate"
  | "ffnUp"
  | "ffnDown";

/** One tensor with its place in the forward pass. With tied embeddings `output` is the file's `token_embd.weight`. */
export type ShardTensor =
  | { readonly role: LayerRole; readonly layer: number; readonly info: TensorInfo }
  | {
      readonly role: "tokenEmbedding" | "outputNorm" | "output" | "ropeFreqs";
      readonly layer?: undefined;
      readonly info: TensorInfo;
    };

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
  const tensors: ShardTensor[] = [];
  if (range.embeds)
    tensors.push({ role: "tokenEmbedding", info: find(file, "token_embd.weight", [config.dim, config.vocabSize]) });
  if (config.ropeScaling.kind === "frequency-factors") {
    tensors.push({ role: "ropeFreqs", info: findF32(file, "rope_freqs.weight", [config.ropeDim / 2]) });
  }
  const shapes = layerShapes(config);
  for (let layer = range.first; layer < range.last; layer++) {
    for (const { role, name, ne } of shapes) {
      const findShaped = ne.length === 1 ? findF32 : find;
      tensors.push({ role, layer, info: findShaped(file, `blk.${layer}.${name}.weight`, ne) });
    }
  }
  if (range.heads) {
    tensors.push({ role: "outputNorm", info: findF32(file, "output_norm.weight", [config.dim]) });
    const output = config.tiedEmbeddings ? "token_embd.weight" : "output.weight";
    tensors.push({ role: "output", info: find(file, output, [config.dim, config.vocabSize]) });
  }
  return tensors;
}

interface LayerShape {
  readonly role: LayerRole;
  readonly name: string;
  readonly ne: readonly number[];
}

/** The tensors of one layer. Shapes are ggml's ne: a matrix that maps `in` to `out` is [in, out]. */
function layerShapes(config: ModelConfig): readonly LayerShape[] {
  const { dim, hiddenDim, headDim } = config;
  const queryDim = config.nHeads * headDim;
  const kvDim = config.nKvHeads * headDim;
  return [
    { role: "attnNorm", name: "attn_norm", ne: [dim] },
    { role: "attnQ", name: "attn_q", ne: [dim, queryDim] },
    { role: "attnK", name: "attn_k", ne: [dim, kvDim] },
    { role: "attnV", name: "attn_v", ne: [dim, kvDim] },
    { role: "attnOutput", name: "attn_output", ne: [queryDim, dim] },
    { role: "ffnNorm", name: "ffn_norm", ne: [dim] },
    { role: "ffnGate", name: "ffn_gate", ne: [dim, hiddenDim] },
    { role: "ffnUp", name: "ffn_up", ne: [dim, hiddenDim] },
    { role: "ffnDown", name: "ffn_down", ne: [hiddenDim, dim] },
  ];
}

const MODEL_TENSORS = new Set(["token_embd.weight", "output_norm.weight", "output.weight", "rope_freqs.weight"]);
const LAYER_TENSOR = /^blk\.(0|[1-9]\d*)\.(\w+)\.weight$/;
const UNUSED_LAYER_TENSORS = new Set(["attn_rot_embd", "attn_rope_freqs"]);

function checkNames(config: ModelConfig, file: GgufFile): void {
  const layerNames = new Set(layerShapes(config).map(({ name }) => name));
  for (const name of file.tensors.keys()) {
    if (MODEL_TENSORS.has(name)) continue;
    const [, layer, part = ""] = LAYER_TENSOR.exec(name) ?? [];
    const known = layerNames.has(part) || UNUSED_LAYER_TENSORS.has(part);
    if (layer !== undefined && Number(layer) < config.nLayers && known) continue;
    throw new RhoneError(
      "TENSOR_UNEXPECTED",
      `${file.path}: the tensor ${name} has no place in a llama model of ${config.nLayers} layers; it would be left out silently`,
    );
  }
}

function checkRange(config: ModelConfig, { first, last }: ShardRange): void {
  const whole = Number.isInteger(first) && Number.isInteger(last);
  if (whole && first >= 0 && first <= last && last <= config.nLayers) return;
  throw new RhoneError("INTERNAL", `Layers [${first}, ${last}) are not part of a model of ${config.nLayers} layers`);
}

function find(file: GgufFile, name: string, ne: readonly number[]): TensorInfo {
  const info = file.tensors.get(name);
  if (info === undefined) throw new RhoneError("TENSOR_MISSING", `${file.path}: the tensor ${name} is missing`);
  const same = Array.from({ length: 4 }, (_, dim) => (info.ne[dim] ?? 1) === (ne[dim] ?? 1)).every(Boolean);
  if (same) return info;
  throw new RhoneError(
    "GGUF_MALFORMED",
    `${file.path}: ${name} has the shape [${info.ne.join(", ")}], but the hyper-parameters give [${ne.join(", ")}] (innermost first)`,
  );
}

/** Norms and frequency factors enter the graph unquantized. */
function findF32(file: GgufFile, name: string, ne: readonly number[]): TensorInfo {
  const info = find(file, name, ne);
  if (info.type === GgmlType.F32) return info;
  throw new RhoneError(
    "TENSOR_TYPE_UNSUPPORTED",
    `${file.path}: ${name} is stored as ${tensorTypeName(info.type)}; norms and RoPE factors must be F32`,
  );
}
