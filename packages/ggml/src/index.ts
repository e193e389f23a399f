export { Backend } from "./backend/backend.js";
export { GgmlType, isGgmlType, rowSize, typeInfo } from "./elements/ggml-type.js";
export { dequantize, quantizeChunk } from "./elements/quantize.js";
export {
  type AttentionInputs,
  AttentionOperations,
  type AttentionShape,
  SPAN_COLUMNS,
  type StepPages,
  type WriteInputs,
} from "./graph/attention-operations.js";
export { Graph } from "./graph/graph.js";
export { KernelOperations, type QuantizedRows, type QuantizeSource } from "./graph/kernel-operations.js";
export type { RopeMode, RopeOptions } from "./graph/operation-options.js";
export type { Kernels } from "./kernels/kernels.js";
export { type ChosenKernels, chooseKernels } from "./kernels/open-kernels.js";
export { boundUnacknowledged } from "./native/bound-unacknowledged.js";
export { devicePackages } from "./native/device-packages.js";
export { type Engine, openEngine } from "./native/engine.js";
export { trimMemory } from "./native/trim-memory.js";
export { type Logits, RowReader } from "./reading/row-reader.js";
export type { DrawRequest } from "./sampling/draw-token.js";
export type { AllowedTokens } from "./sampling/edits.js";
export { type RowReading, type RowRequest, readRow } from "./sampling/read-row.js";
export { Sampler } from "./sampling/sampler.js";
export type { LogitBias } from "./sampling/sampling-options.js";
export { PackedWeight, type Weight } from "./tensors/packed-weight.js";
export type { Ne, Shape, Tensor } from "./tensors/tensor.js";
export { TensorStorage } from "./tensors/tensor-storage.js";
export { SpecialNames } from "./vocabulary/special-names.js";
export { type ControlToken, type SharedVocabulary, Vocabulary } from "./vocabulary/vocabulary.js";
export type { WeightUse } from "./weights/weight-placement.js";
export { WeightStore } from "./weights/weight-store.js";
