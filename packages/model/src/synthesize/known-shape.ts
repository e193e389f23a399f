import type { CatalogueEntry } from "../catalogue/catalogue.js";
import type { ModelConfig } from "../config/model-config.js";
import type { WeightSizes } from "../config/model-size.js";
import { tensorBytes } from "../gguf/tensor-type.js";
import { type PlannedTensor, parseQuantization, planTensors, type Quantization } from "../quantization/quantization.js";
import { presetConfig } from "./presets.js";

/** What is known of a catalogue's model while its file is not there. */
export interface KnownShape {
  readonly preset: string;
  readonly type: Quantization;
  readonly config: Omit<ModelConfig, "tokenizer" | "name">;
  readonly weightBytes: WeightSizes;
  readonly nParameters: number;
}

/** Null for an entry without a shape. */
export function knownShape({ shape, contextLength, slidingWindow }: CatalogueEntry): KnownShape | null {
  if (shape === undefined) return null;
  const config = { ...presetConfig(shape.preset), contextLength, slidingWindow: slidingWindow ?? 0 };
  const type = parseQuantization(shape.type);
  const tensors = planTensors(config, type, () => false);
  const sizes = tensors.map(({ type: stored, ne }) => tensorBytes(stored, ne));
  const sum = (belongs: (tensor: PlannedTensor) => boolean): number =>
    tensors.reduce((bytes, tensor, index) => bytes + (belongs(tensor) ? (sizes[index] ?? 0) : 0), 0);
  const isHead = ({ role }: PlannedTensor) => role === "output" || role === "outputNorm";
  const isEmbedding = ({ role }: PlannedTensor) => role === "tokenEmbedding";
  return {
    preset: shape.preset,
    type,
    config,
    weightBytes: {
      total: sum(() => true),
      embedding: sum(isEmbedding),
      head: sum((tensor) => isHead(tensor) || (config.tiedEmbeddings && isEmbedding(tensor))),
      layers: Array.from({ length: config.nLayers }, (_, layer) => sum((tensor) => tensor.layer === layer)),
    },
    nParameters: tensors.reduce((count, { ne }) => count + ne.reduce((product, extent) => product * extent, 1), 0),
  };
}
