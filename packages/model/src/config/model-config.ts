import { RhoneError } from "@rhone/common/rhone-error";
import type { Architecture } from "../architectures/architecture.js";
import { architectureNamed } from "../architectures/architectures.js";
import type { ModelShape } from "../architectures/model-shape.js";
import type { GgufFile } from "../gguf/gguf-file.js";
import { metadataBoolean, metadataNumber, metadataString, metadataStrings } from "../gguf/metadata.js";
import { fileStem } from "../gguf/open-gguf.js";
import { ArchitectureKeys } from "./architecture-keys.js";
import { readHyperParameters } from "./hyper-parameters.js";
import { readRopeScaling } from "./rope-scaling.js";

/** A model: its architecture, its hyper-parameters under Mistral's names, its tokenizer. Immutable; holds no file. */
export interface ModelConfig extends ModelShape {
  readonly architecture: Architecture;
  /** `general.name`, or the file's name without its ending. */
  readonly name: string;
  readonly tokenizer: TokenizerConfig;
}

/** The file's tokenizer settings; libllama reads the vocabulary itself. */
export interface TokenizerConfig {
  /**
   * `llama` (SentencePiece), `gpt2` (byte-level BPE) …; undefined for a file without a vocabulary, which serves token
   * ids.
   */
  readonly model: string | undefined;
  readonly bosId: number | undefined;
  readonly eosId: number | undefined;
  /** End of turn, where it differs from end of text. */
  readonly eotId: number | undefined;
  readonly addBos: boolean | undefined;
  readonly chatTemplate: string | undefined;
}

export interface ReadConfigOptions {
  /** Replaces the file's window, which most published Mistral v0.1 files lack; 0 switches the window off. */
  readonly slidingWindow?: number;
  /** The architectures to choose from; those that Rhone serves when absent. */
  readonly architectures?: readonly Architecture[];
}

/**
 * The configuration in a GGUF header. Throws MODEL_UNSUPPORTED for an unknown architecture, experts or an unsupported
 * kind of RoPE scaling, naming the supported ones; GGUF_MALFORMED for a missing, impossible or contradictory key,
 * naming it.
 */
export function readModelConfig(file: GgufFile, options: ReadConfigOptions = {}): ModelConfig {
  const architecture = readArchitecture(file, options.architectures);
  const keys = new ArchitectureKeys(file, architecture.name);
  const tokenizer = readTokenizer(file);
  const hyperParameters = readHyperParameters(keys);
  const { ropeDim, contextLength } = hyperParameters;
  const vocabSize = readVocabSize(file, keys);
  checkTokenIds(file, tokenizer, vocabSize);
  return Object.freeze({
    architecture,
    name: metadataString(file, "general.name") ?? fileStem(file.path),
    ...hyperParameters,
    vocabSize,
    ropeScaling: readRopeScaling(keys, { freqs: file.tensors.get("rope_freqs.weight"), ropeDim }),
    slidingWindow: readSlidingWindow(keys, contextLength, options.slidingWindow),
    tiedEmbeddings: !file.tensors.has("output.weight"),
    tokenizer,
  });
}

/** Whether the file itself says how far attention sees. */
export const namesSlidingWindow = (file: GgufFile, { name }: Architecture): boolean =>
  file.metadata.has(new ArchitectureKeys(file, name).key("attention.sliding_window"));

function readArchitecture(file: GgufFile, among: readonly Architecture[] | undefined): Architecture {
  const name = metadataString(file, "general.architecture");
  if (name === undefined) throw new RhoneError("GGUF_MALFORMED", `${file.path}: general.architecture is missing.`);
  const architecture = architectureNamed(name, { path: file.path, among });
  const nExperts = new ArchitectureKeys(file, name).number("expert_count") ?? 0;
  if (nExperts === 0) return architecture;
  throw new RhoneError(
    "MODEL_UNSUPPORTED",
    `${file.path} has ${nExperts} experts per layer; architecture ${name} is supported without experts.`,
  );
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

/** The embedding's rows are authoritative; the token list and the key `vocab_size` must agree with them. */
function readVocabSize(file: GgufFile, keys: ArchitectureKeys): number {
  const embedding = file.tensors.get("token_embd.weight");
  if (embedding === undefined) throw new RhoneError("TENSOR_MISSING", `${file.path}: token_embd.weight is missing.`);
  const rows = embedding.ne[1] ?? 1;
  const claims = {
    [keys.key("vocab_size")]: keys.number("vocab_size"),
    "tokenizer.ggml.tokens": metadataStrings(file, "tokenizer.ggml.tokens")?.length,
  };
  for (const [key, count] of Object.entries(claims)) {
    if (count === undefined || count === rows) continue;
    throw new RhoneError(
      "GGUF_MALFORMED",
      `${file.path}: ${key} gives ${count} tokens, but token_embd.weight has ${rows} rows.`,
    );
  }
  return rows;
}

function checkTokenIds(file: GgufFile, tokenizer: TokenizerConfig, vocabSize: number): void {
  for (const key of ["bosId", "eosId", "eotId"] as const) {
    const id = tokenizer[key];
    if (id === undefined || (id >= 0 && id < vocabSize)) continue;
    const name = `tokenizer.ggml.${key.slice(0, 3)}_token_id`;
    throw new RhoneError("GGUF_MALFORMED", `${file.path}: ${name} is ${id}, outside the vocabulary of ${vocabSize}.`);
  }
}

function readSlidingWindow(keys: ArchitectureKeys, contextLength: number, override?: number): number {
  const window = override ?? keys.number("attention.sliding_window") ?? 0;
  if (!Number.isInteger(window) || window < 0) {
    throw new RhoneError(
      "INVALID_CONFIG",
      `The sliding window is ${window}; set it to a whole number of positions, or to 0 for none.`,
    );
  }
  return window < contextLength ? window : 0;
}
