import { access } from "node:fs/promises";
import { join } from "node:path";
import { RhoneError } from "@rhone/common/rhone-error";
import { type GgufValue, gguf } from "../gguf/gguf-value.js";
import type { CheckpointConfig } from "./hugging-face-config.js";
import { readJsonFile } from "./json-file.js";
import { type Piece, readSentencePieceModel, TOKEN_TYPE } from "./sentencepiece-model.js";
import { parseTokenizerJson } from "./tokenizer-json.js";
import { readTokenizerSettings, type TokenizerSettings } from "./tokenizer-settings.js";

type Metadata = [string, GgufValue][];

/** A vocabulary, not yet padded to the embedding's rows. */
interface TokenizerParts {
  readonly model: "llama" | "gpt2";
  readonly pre: string;
  readonly pieces: readonly (Piece | undefined)[];
  readonly merges: readonly string[];
  readonly addSpacePrefix: boolean | undefined;
}

/**
 * The `tokenizer.*` metadata of a checkpoint: from `source` when given, otherwise from the directory's tokenizer.model
 * or its tokenizer.json; `none` gives a file without a vocabulary. Throws TOKENIZER_UNSUPPORTED when there is no
 * tokenizer, or one that libllama would read differently.
 */
export async function readTokenizerMetadata(
  dir: string,
  config: CheckpointConfig,
  source?: string | "none",
): Promise<Metadata> {
  if (source === "none") return [["tokenizer.ggml.model", gguf.string("none")]];
  const path = source ?? (await findTokenizer(dir));
  const parts = path.endsWith(".json") ? await readJsonTokenizer(path) : await readSentencePiece(path);
  const settings = await readTokenizerSettings(dir);
  return describe(path, parts, { settings, config });
}

async function findTokenizer(dir: string): Promise<string> {
  for (const name of ["tokenizer.model", "tokenizer.json"]) {
    const path = join(dir, name);
    const found = await access(path).then(
      () => true,
      () => false,
    );
    if (found) return path;
  }
  throw new RhoneError(
    "TOKENIZER_UNSUPPORTED",
    `${dir} has neither tokenizer.model nor tokenizer.json; name the file with --tokenizer PATH, or write a model that takes only token ids with --tokenizer none.`,
  );
}

async function readSentencePiece(path: string): Promise<TokenizerParts> {
  const { pieces, addDummyPrefix } = await readSentencePieceModel(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    throw new RhoneError("TOKENIZER_UNSUPPORTED", `There is no file ${path}.`, { cause: error });
  });
  return { model: "llama", pre: "default", pieces, merges: [], addSpacePrefix: addDummyPrefix };
}

async function readJsonTokenizer(path: string): Promise<TokenizerParts> {
  const json = await readJsonFile(path);
  if (json === undefined) throw new RhoneError("TOKENIZER_UNSUPPORTED", `There is no file ${path}.`);
  return { ...parseTokenizerJson(path, json), addSpacePrefix: undefined };
}

interface Facts {
  readonly settings: TokenizerSettings;
  readonly config: CheckpointConfig;
}

function describe(path: string, parts: TokenizerParts, { settings, config }: Facts): Metadata {
  const { vocabSize } = config;
  if (parts.pieces.length > vocabSize) {
    throw new RhoneError(
      "TOKENIZER_UNSUPPORTED",
      `${path} has ${parts.pieces.length} tokens, but the model's embedding only ${vocabSize} rows.`,
    );
  }
  const pieces = Array.from({ length: vocabSize }, (_, id) => parts.pieces[id] ?? padding(id));
  const metadata: Metadata = [
    ["tokenizer.ggml.model", gguf.string(parts.model)],
    ["tokenizer.ggml.pre", gguf.string(parts.pre)],
    ["tokenizer.ggml.tokens", gguf.strings(pieces.map(({ text }) => text))],
    ["tokenizer.ggml.token_type", gguf.i32s(Int32Array.from(pieces, ({ type }) => type))],
  ];
  if (parts.model === "llama") {
    metadata.push(["tokenizer.ggml.scores", gguf.f32s(Float32Array.from(pieces, ({ score }) => score))]);
  } else {
    metadata.push(["tokenizer.ggml.merges", gguf.strings(parts.merges)]);
  }
  return [...metadata, ...describeSpecials(parts, pieces, { settings, config })];
}

function describeSpecials(parts: TokenizerParts, pieces: readonly Piece[], { settings, config }: Facts): Metadata {
  const idOf = (text: string | undefined, otherwise: number | undefined): number | undefined => {
    const id = text === undefined ? -1 : pieces.findIndex((piece) => piece.text === text);
    return id === -1 ? otherwise : id;
  };
  const eosId = idOf(settings.eosText, config.eosId);
  const unknownId = pieces.findIndex(({ type }) => type === TOKEN_TYPE.unknown);
  const ids: [string, number | undefined][] = [
    ["bos", idOf(settings.bosText, config.bosId)],
    ["eos", eosId],
    ["eot", settings.endIds.find((id) => id !== eosId)],
    ["unknown", unknownId === -1 ? undefined : unknownId],
  ];
  const isSentencePiece = parts.model === "llama";
  const flags: [string, boolean | undefined][] = [
    ["add_bos_token", settings.addBos ?? (isSentencePiece ? true : undefined)],
    ["add_eos_token", settings.addEos ?? (isSentencePiece ? false : undefined)],
    ["add_space_prefix", settings.addSpacePrefix ?? parts.addSpacePrefix],
  ];
  return [
    ...ids.flatMap(
      ([name, id]): Metadata => (id === undefined ? [] : [[`tokenizer.ggml.${name}_token_id`, gguf.u32(id)]]),
    ),
    ...flags.flatMap(([name, on]): Metadata => (on === undefined ? [] : [[`tokenizer.ggml.${name}`, gguf.bool(on)]])),
    ...(settings.chatTemplate === undefined
      ? []
      : [["tokenizer.chat_template", gguf.string(settings.chatTemplate)] as [string, GgufValue]]),
  ];
}

/** The token of an embedding row that the vocabulary does not use. */
const padding = (id: number): Piece => ({ text: `[PAD${id}]`, score: -10_000, type: TOKEN_TYPE.unused });
