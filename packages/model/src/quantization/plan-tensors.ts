import type { Architecture } from "../architectures/architecture.js";
import { type ModelShape, wholeModel } from "../architectures/model-shape.js";
import { type ModelTensor, modelTensors } from "../architectures/model-tensors.js";
import type { TensorPlan } from "../gguf/gguf-writer.js";
import { type Quantization, storageType } from "./quantization.js";

/** A tensor of a file to be written. */
export type PlannedTensor = ModelTensor & TensorPlan;

/**
 * Every tensor of a file, once, in the order of the forward pass, with the type in which it is stored. `has` decides about
 * the architecture's optional tensors.
 */
export function planTensors(
  model: ModelShape & { readonly architecture: Architecture },
  quantization: Quantization,
  has: (tensor: ModelTensor) => boolean,
): readonly PlannedTensor[] {
  return modelTensors(model, wholeModel(model))
    .filter(({ role }) => role !== "output" || !model.tiedEmbeddings)
    .filter((tensor) => tensor.traits.optional !== true || has(tensor))
    .map((tensor) => {
      const isHead = tensor.role === "output" || (tensor.role === "tokenEmbedding" && model.tiedEmbeddings);
      return { ...tensor, type: storageType(quantization, { ne: tensor.ne, isHead }) };
    });
}
