import { RhoneError } from "@rhone/common/rhone-error";
import { llama } from "../architectures/llama.js";
import { nearestNames } from "../catalogue/nearest-names.js";
import type { ModelConfig } from "../config/model-config.js";

type PresetConfig = Omit<ModelConfig, "tokenizer" | "name">;

const LLAMA: Omit<PresetConfig, "dim" | "nLayers" | "nHeads" | "nKvHeads" | "hiddenDim"> = {
  architecture: llama,
  headDim: 128,
  vocabSize: 32_000,
  normEps: 1e-5,
  ropeTheta: 10_000,
  ropeDim: 128,
  ropeScaling: { kind: "none" },
  contextLength: 4096,
  slidingWindow: 0,
  tiedEmbeddings: false,
};

const LLAMA_2_7B: PresetConfig = { ...LLAMA, dim: 4096, nLayers: 32, nHeads: 32, nKvHeads: 32, hiddenDim: 11_008 };

const MISTRAL_7B: PresetConfig = {
  ...LLAMA,
  dim: 4096,
  nLayers: 32,
  nHeads: 32,
  nKvHeads: 8,
  hiddenDim: 14_336,
  contextLength: 32_768,
};

const MISTRAL_7B_V01: PresetConfig = { ...MISTRAL_7B, slidingWindow: 4096 };
const MISTRAL_7B_V02: PresetConfig = { ...MISTRAL_7B, ropeTheta: 1_000_000 };

const SMOLLM2_135M: PresetConfig = {
  ...LLAMA,
  dim: 576,
  nLayers: 30,
  nHeads: 9,
  nKvHeads: 3,
  headDim: 64,
  ropeDim: 64,
  hiddenDim: 1536,
  vocabSize: 49_152,
  ropeTheta: 100_000,
  contextLength: 8192,
  tiedEmbeddings: true,
};

const TINY: PresetConfig = {
  ...LLAMA,
  dim: 256,
  nLayers: 4,
  nHeads: 8,
  nKvHeads: 2,
  headDim: 32,
  ropeDim: 32,
  hiddenDim: 512,
  vocabSize: 512,
  contextLength: 1024,
};

/**
 * Shapes of well-known models, and small ones for tests: the rows of `tiny` divide into the blocks of every
 * quantization, `tiny-32k` and `tiny-131k` have the vocabulary sizes of Mistral's models, `tiny-tied` ties its
 * embeddings.
 */
const PRESETS: Readonly<Record<string, PresetConfig>> = {
  "mistral-7b": MISTRAL_7B_V01,
  "mistral-7b-v0.1": MISTRAL_7B_V01,
  "mistral-7b-v0.2": MISTRAL_7B_V02,
  "mistral-7b-v0.3": { ...MISTRAL_7B_V02, vocabSize: 32_768 },
  "llama-2-7b": LLAMA_2_7B,
  "llama-2-13b": { ...LLAMA, dim: 5120, nLayers: 40, nHeads: 40, nKvHeads: 40, hiddenDim: 13_824 },
  "llama-30b": {
    ...LLAMA,
    dim: 6656,
    nLayers: 60,
    nHeads: 52,
    nKvHeads: 52,
    hiddenDim: 17_920,
    normEps: 1e-6,
    contextLength: 2048,
  },
  "codellama-7b": { ...LLAMA_2_7B, vocabSize: 32_016, ropeTheta: 1_000_000, contextLength: 16_384 },
  "smollm2-135m": SMOLLM2_135M,
  tiny: TINY,
  "tiny-32k": { ...TINY, vocabSize: 32_000, contextLength: 4096 },
  "tiny-131k": { ...TINY, vocabSize: 131_072, contextLength: 4096 },
  "tiny-tied": { ...TINY, tiedEmbeddings: true, slidingWindow: 32 },
};

export const PRESET_NAMES: readonly string[] = Object.keys(PRESETS);

/** The shape of a preset, with `layers` layers if given. Throws INVALID_CONFIG. */
export function presetConfig(name: string, layers?: number): PresetConfig {
  const preset = Object.hasOwn(PRESETS, name) ? PRESETS[name] : undefined;
  if (preset === undefined) {
    const near = nearestNames(name, PRESET_NAMES);
    const hint = near.length > 0 ? near.join(" or ") : PRESET_NAMES.join(", ");
    throw new RhoneError("INVALID_CONFIG", `There is no preset ${name}; choose ${hint}.`);
  }
  if (layers === undefined) return preset;
  if (!Number.isInteger(layers) || layers < 1 || layers > 1000) {
    throw new RhoneError("INVALID_CONFIG", `A model cannot have ${layers} layers; choose 1 to 1000.`);
  }
  return { ...preset, nLayers: layers };
}
