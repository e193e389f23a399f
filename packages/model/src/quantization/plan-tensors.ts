import { type LlamaTensor, llamaTensors, type ModelShape, wholeModel } from "../config/llama-tensors.js";
import type { TensorPlan } from "../gguf/gguf-writer.js";
import { type Quantization, storageType } from "./quantization.js";

/** A tensor of a file to be written. */
export type PlannedTensor = LlamaTensor & TensorPlan;

/** Every tensor of a llama file, once, in the order of the forward pass, with the type in which it is stored. */
export function planTensors(shape: ModelShape, quantization: Quantization): readonly PlannedTensor[] {
  const tensors = llamaTensors(shape, wholeModel(shape)).filter(
    ({ role }) => role !== "output" || !shape.tiedEmbeddings,
  );
  return tensors.map((tensor) => {
    const isHead = tensor.role === "output" || (tensor.role === "tokenEmbedding" && shape.tiedEmbeddings);
    return { ...tensor, type: storageType(quantization, { ne: tensor.ne, isHead }) };
  });
}
