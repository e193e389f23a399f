export type { Architecture } from "./architectures/architecture.js";
export type { Heads, Layer } from "./architectures/block.js";
export type { ShardRange } from "./architectures/model-shape.js";
export type { OuterRole } from "./architectures/model-tensors.js";
export { CATALOGUE, type CatalogueEntry, findModel } from "./catalogue/catalogue.js";
export { type ModelSearch, modelPath, resolveModel } from "./catalogue/resolve-model.js";
export type { ChatMessage, ChatOptions, ChatTool } from "./chat-template/chat-message.js";
export {
  CHAT_TEMPLATE_NAMES,
  type ChatTemplate,
  type ChatTemplateChoice,
} from "./chat-template/chat-template.js";
export { chatTemplateFor } from "./chat-template/choose-template.js";
export { isTemplateFile, readChatTemplate } from "./chat-template/read-chat-template.js";
export { mistralCallId } from "./chat-template/tool-calls.js";
export { type ModelConfig, readModelConfig } from "./config/model-config.js";
export { activationBytes, pageBytesPerLayer, shardBytes, type WeightSizes, weightBytes } from "./config/model-size.js";
export { type ShardTensor, tensorsOfShard } from "./config/shard-tensors.js";
export { convertCheckpoint } from "./convert/convert-checkpoint.js";
export { checkpointName } from "./convert/open-checkpoint.js";
export { type FillInMiddle, fillInMiddleFor } from "./fill-in-middle/fill-in-middle.js";
export type { GgufFile, GgufPart } from "./gguf/gguf-file.js";
export { gguf } from "./gguf/gguf-value.js";
export { GgufWriter } from "./gguf/gguf-writer.js";
export { fileStem, openGguf } from "./gguf/open-gguf.js";
export { readTensorBytes } from "./gguf/read-tensor-bytes.js";
export type { TensorInfo } from "./gguf/tensor-info.js";
export { inspectModel, type ModelSummary } from "./inspect/inspect-model.js";
export { pullModel } from "./pull/pull-model.js";
export type { PullProgress } from "./pull/pull-options.js";
export { parseQuantization, QUANTIZATIONS } from "./quantization/quantization.js";
export { type KnownShape, knownShape } from "./synthesize/known-shape.js";
export { PRESET_NAMES } from "./synthesize/presets.js";
export { synthesize } from "./synthesize/synthesize.js";
