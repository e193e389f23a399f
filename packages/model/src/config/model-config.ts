import { RhoneError } from "@rhone/common";
import { metadataBoolean, metadataNumber, metadataString, metadataStrings } from "../gguf/metadata.js";
import type { GgufFile } from "../gguf/open-gguf.js";
import { type HyperParameters, readHyperParameters } from "./hyper-parameters.js";
import { type RopeScaling, readRopeScaling } from "./rope-scaling.js";

/** The hyper-parameters of a model of architecture `llama`, under Mistral's names. Immutable; holds no file. */
export interface ModelConfig {
  readonly architecture: "llama";
  /** `general.name`, or the file's name without its ending. */
  readonly name: string;
  /** Width of the hidden state. */
  readonly dim: number;
  readonly nLayers: number;
  readonly nHeads: number;
  /** Divides nHeads; equal to it without grouped-query attention. */
  readonly nKvHeads: number;
  readonly headDim: number;
  /** Width inside the feed-forward network. */
  readonly hiddenDim: number;
  readonly vocabSize: number;
  readonly normEps: number;
  readonly ropeTheta: number;
  /** How many elements of a head are rotated: all of them, headDim. */
  readonly ropeDim: number;
  readonly ropeScaling: RopeScaling;
  /** Positions that the model was trained for. */
  readonly contextLength: number;
  /** Positions that attention sees, itself included; undefined: all. */
  readonly slidingWindow: number | undefined;
  /** The head is the token embedding: the file has no `output.weight`. */
  readonly tiedEmbeddings: boolean;
  readonly tokenizer: TokenizerConfig;
}

/** What the file says about its tokenizer; the vocabulary itself is read by libllama. */
export interface TokenizerConfig {
  /** `llama` (SentencePiece), `gpt2` (byte-level BPE), …; undefined: the file has no vocabulary, only token ids work. */
  readonly model: string | undefined;
  readonly bosId: number | undefined;
  readonly eosId: number | undefined;
  /** End of turn, where it differs from the end of the text. */
  readonly eotId: number | undefined;
  readonly addBos: boolean | undefined;
  readonly chatTemplate: string | undefined;
}

const SUPPORTED =
  "Rhone serves architecture llama without experts: Mistral 7B, Llama 1 to 3, Code Llama, SmolLM2 and their kin";

/**
 * The hyper-parameters in a GGUF header. `slidingWindow` overrides the file: most published Mistral v0.1 files lack the key;
 * 0 switches the window off.
 * Throws MODEL_UNSUPPORTED for another architecture, experts or a kind of RoPE scaling that is not built, naming what is;
 * GGUF_MALFORMED for a missing, impossible or contradictory key, naming it.
 */
export function readModelConfig(file: GgufFile, overrides: { readonly slidingWindow?: number } = {}): ModelConfig {
  checkArchitecture(file);
  const tokenizer = readTokenizer(file);
  const hyperParameters = readHyperParameters(file);
  const vocabSize = readVocabSize(file);
  checkTokenIds(file, tokenizer, vocabSize);
  return Object.freeze({
    architecture: "llama",
    name: metadataString(file, "general.name") ?? fileStem(file.path),
    ...hyperParameters,
    vocabSize,
    ropeScaling: readRopeScaling(file, hyperParameters.ropeDim),
    slidingWindow: readSlidingWindow(file, hyperParameters, overrides.slidingWindow),
    tiedEmbeddings: !file.tensors.has("output.weight"),
    tokenizer,
  });
}

function checkArchitecture(file: GgufFile): void {
  const architecture = metadataString(file, "general.architecture");
  if (architecture === undefined) {
    throw new RhoneError("GGUF_MALFORMED", `${file.path}: general.architecture is missing`);
  }
  if (architecture !== "llama") {
    throw new RhoneError("MODEL_UNSUPPORTED", `${file.path} is of architecture ${architecture}. ${SUPPORTED}.`);
  }
  const nExperts = metadataNumber(file, "llama.expert_count") ?? 0;
  if (nExperts > 0) {
    throw new RhoneError("MODEL_UNSUPPORTED", `${file.path} has ${nExperts} experts per layer. ${SUPPORTED}.`);
  }
}

function readTokenizer(file: GgufFile): TokenizerConfig {
  const model = metadataString(file, "tokenizer.ggml.model");
  return Object.freeze({
    model: model === "none" || model === "no_vocab" ? undefined : model,
    bosId: metadataNumber(file, "tokenizer.ggml.bos_token_id"),
    eosId: metadataNumber(file, "tokenizer.ggml.eos_token_id"),
    eotId: metadataNumber(file, "tokenizer.ggml.eot_token_id"),
    addBos: metadataBoolean(file, "tokenizer.ggml.add_bos_token"),
    chatTemplate: metadataString(file, "tokenizer.chat_template"),
  });
}

/** The rows of the embedding are the truth; the token list and `llama.vocab_size` must not promise more. */
function readVocabSize(file: GgufFile): number {
  const embedding = file.tensors.get("token_embd.weight");
  if (embedding === undefined) throw new RhoneError("TENSOR_MISSING", `${file.path}: token_embd.weight is missing`);
  const rows = embedding.ne[1] ?? 1;
  const promised = {
    "llama.vocab_size": metadataNumber(file, "llama.vocab_size"),
    "tokenizer.ggml.tokens": metadataStrings(file, "tokenizer.ggml.tokens")?.length,
  };
  for (const [key, count] of Object.entries(promised)) {
    if (count === undefined || count === rows) continue;
    throw new RhoneError(
      "GGUF_MALFORMED",
      `${file.path}: ${key} gives ${count} tokens, but token_embd.weight has ${rows} rows`,
    );
  }
  return rows;
}

function checkTokenIds(file: GgufFile, tokenizer: TokenizerConfig, vocabSize: number): void {
  for (const key of ["bosId", "eosId", "eotId"] as const) {
    const id = tokenizer[key];
    if (id === undefined || (id >= 0 && id < vocabSize)) continue;
    const name = `tokenizer.ggml.${key.slice(0, 3)}_token_id`;
    throw new RhoneError("GGUF_MALFORMED", `${file.path}: ${name} is ${id}, outside the vocabulary of ${vocabSize}`);
  }
}

function readSlidingWindow(file: GgufFile, { contextLength }: HyperParameters, override?: number): number | undefined {
  const window = override ?? metadataNumber(file, "llama.attention.sliding_window") ?? 0;
  if (!Number.isInteger(window) || window < 0) {
    throw new RhoneError(
      "INVALID_CONFIG",
      `The sliding window is ${window}; give a number of positions, or 0 for none`,
    );
  }
  return window === 0 || window >= contextLength ? undefined : window;
}

function fileStem(path: string): string {
  return (path.split("/").at(-1) ?? path).replace(/\.gguf$/, "");
}
