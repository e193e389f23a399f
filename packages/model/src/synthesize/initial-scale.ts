import type { ModelShape } from "../architectures/model-shape.js";
import type { PlannedTensor } from "../quantization/plan-tensors.js";

/** Standard deviation of the logits: wide enough for clear favourites among tens of thousands of tokens. */
const LOGIT_STD = 3;

/**
 * The standard deviation of a matrix's random weights. With norms of 1 every matrix reads numbers of variance 1, so 1/sqrt(in)
 * keeps it; the two matrices that write into the residual stream are divided by sqrt(2 * nLayers) besides, so that all
 * layers together add as much as the embedding brought.
 */
export function weightStd(tensor: PlannedTensor, model: Pick<ModelShape, "nLayers" | "tiedEmbeddings">): number {
  const fanIn = 1 / Math.sqrt(tensor.ne[0] ?? 1);
  switch (tensor.role) {
    case "tokenEmbedding":
      return model.tiedEmbeddings ? LOGIT_STD * fanIn : 1;
    case "output":
      return LOGIT_STD * fanIn;
    default:
      return tensor.traits.residual === true ? fanIn / Math.sqrt(2 * model.nLayers) : fanIn;
  }
}
