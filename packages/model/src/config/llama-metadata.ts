import { type GgufValue, gguf } from "../gguf/gguf-value.js";
import type { ModelConfig } from "./model-config.js";

/** The hyper-parameters as `readModelConfig` reads them back; of the tokenizer nothing. */
export function llamaMetadata(config: Omit<ModelConfig, "tokenizer">): Map<string, GgufValue> {
  const metadata = new Map<string, GgufValue>([
    ["general.architecture", gguf.string("llama")],
    ["general.name", gguf.string(config.name)],
    ["llama.block_count", gguf.u32(config.nLayers)],
    ["llama.context_length", gguf.u32(config.contextLength)],
    ["llama.embedding_length", gguf.u32(config.dim)],
    ["llama.feed_forward_length", gguf.u32(config.hiddenDim)],
    ["llama.attention.head_count", gguf.u32(config.nHeads)],
    ["llama.attention.head_count_kv", gguf.u32(config.nKvHeads)],
    ["llama.attention.layer_norm_rms_epsilon", gguf.f32(config.normEps)],
    ["llama.rope.freq_base", gguf.f32(config.ropeTheta)],
    ["llama.rope.dimension_count", gguf.u32(config.ropeDim)],
    ["llama.vocab_size", gguf.u32(config.vocabSize)],
  ]);
  if (config.headDim * config.nHeads !== config.dim) {
    metadata.set("llama.attention.key_length", gguf.u32(config.headDim));
    metadata.set("llama.attention.value_length", gguf.u32(config.headDim));
  }
  if (config.slidingWindow !== undefined) {
    metadata.set("llama.attention.sliding_window", gguf.u32(config.slidingWindow));
  }
  if (config.ropeScaling.kind === "linear") {
    metadata.set("llama.rope.scaling.type", gguf.string("linear"));
    metadata.set("llama.rope.scaling.factor", gguf.f32(config.ropeScaling.factor));
  }
  return metadata;
}
