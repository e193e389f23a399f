import { type GgufValue, gguf } from "../gguf/gguf-value.js";
import type { ModelConfig } from "./model-config.js";

/** The hyper-parameters as `readModelConfig` reads them back, without the tokenizer's. */
export function configMetadata(config: Omit<ModelConfig, "tokenizer">): Map<string, GgufValue> {
  const { architecture, ropeScaling, headDim } = config;
  const values: Record<string, GgufValue> = {
    block_count: gguf.u32(config.nLayers),
    context_length: gguf.u32(config.contextLength),
    embedding_length: gguf.u32(config.dim),
    feed_forward_length: gguf.u32(config.hiddenDim),
    "attention.head_count": gguf.u32(config.nHeads),
    "attention.head_count_kv": gguf.u32(config.nKvHeads),
    "attention.layer_norm_rms_epsilon": gguf.f32(config.normEps),
    "rope.freq_base": gguf.f32(config.ropeTheta),
    "rope.dimension_count": gguf.u32(config.ropeDim),
    vocab_size: gguf.u32(config.vocabSize),
  };
  if (headDim * config.nHeads !== config.dim) {
    values["attention.key_length"] = gguf.u32(headDim);
    values["attention.value_length"] = gguf.u32(headDim);
  }
  if (config.slidingWindow > 0) values["attention.sliding_window"] = gguf.u32(config.slidingWindow);
  if (ropeScaling.kind === "linear") {
    values["rope.scaling.type"] = gguf.string("linear");
    values["rope.scaling.factor"] = gguf.f32(ropeScaling.factor);
  }
  return new Map([
    ["general.architecture", gguf.string(architecture.name)],
    ["general.name", gguf.string(config.name)],
    ...Object.entries(values).map(([key, value]) => [`${architecture.name}.${key}`, value] as const),
  ]);
}
