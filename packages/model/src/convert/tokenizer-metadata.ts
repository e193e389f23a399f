import { access } from "node:fs/promises";
import { join } from "node:path";
import { RhoneError } from "@rhone/common/rhone-error";
import { templateProblem } from "../chat-template/jinja-template.js";
import { type GgufValue, gguf } from "../gguf/gguf-value.js";
import { checkTexts, readAddedTokens, withAddedTokens } from "./added-tokens.js";
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

export interface TokenizerRequest {
  readonly dir: string;
  readonly config: CheckpointConfig;
  /** Path of a tokenizer outside `dir`; `none` gives a file without a vocabulary. */
  readonly source?: string | "none" | undefined;
  /** Told what will surprise the model's users, as sentences. */
  readonly onWarning?: ((text: string) => void) | undefined;
}

/**
 * The `tokenizer.*` metadata of a checkpoint: from `source` when given, otherwise from the directory's tokenizer.model
 * or its tokenizer.json, with the tokens that the files beside it add. Throws TOKENIZER_UNSUPPORTED when there is no
 * tokenizer, one that libllama would read differently, or an id with two texts.
 */
export async function readTokenizerMetadata(request: TokenizerRequest): Promise<Metadata> {
  const { dir, config, source, onWarning = () => {} } = request;
  if (source === "none") return [["tokenizer.ggml.model", gguf.string("none")]];
  const path = source ?? (await findTokenizer(dir));
  const parts = path.endsWith(".json") ? await readJsonTokenizer(path) : await readSentencePiece(path);
  const json = path.endsWith(".json") ? path : undefined;
  const added = withAddedTokens(path, parts.pieces, await readAddedTokens(dir, json));
  const settings = await readTokenizerSettings(dir);
  const pieces = fitRows(path, added, { rows: config.vocabSize, onWarning });
  warnOfTemplate(dir, settings.chatTemplate, { hasInst: pieces[3]?.text === "[INST]", onWarning });
  return describe({ ...parts, pieces }, { settings, config, onWarning });
}

interface RowsAndWarnings {
  readonly rows: number;
  readonly onWarning: (text: string) => void;
}

/** One piece for each row of the embedding, with padding where there is no token. */
function fitRows(
  path: string,
  pieces: readonly (Piece | undefined)[],
  { rows, onWarning }: RowsAndWarnings,
): readonly Piece[] {
  const beyond = pieces.slice(rows).flatMap((piece) => piece ?? []);
  if (beyond.some(({ type }) => type !== TOKEN_TYPE.control && type !== TOKEN_TYPE.userDefined)) {
    throw new RhoneError(
      "TOKENIZER_UNSUPPORTED",
      `${path} has ${pieces.length} tokens, but the model's embedding only ${rows} rows.`,
    );
  }
  const left = beyond.map(({ text }) => JSON.stringify(text)).join(", ");
  if (left !== "") onWarning(`The embedding has ${rows} rows; tokens beyond them are left out: ${left}.`);
  const fitting = Array.from({ length: rows }, (_, id) => pieces[id] ?? padding(id));
  checkTexts(path, fitting);
  const padded = fitting.flatMap(({ text }, id) => (pieces[id] === undefined ? [text] : []));
  if (padded.length > 0) {
    const names = padded.length === 1 ? padded.join() : `${padded[0]} to ${padded.at(-1)}`;
    onWarning(`${padded.length} of the embedding's ${rows} rows have no token; they are called ${names}.`);
  }
  return fitting;
}

interface TemplateFacts {
  /** The vocabulary is one of Mistral's, whose chats need no template. */
  readonly hasInst: boolean;
  readonly onWarning: (text: string) => void;
}

function warnOfTemplate(dir: string, template: string | undefined, { hasInst, onWarning }: TemplateFacts): void {
  const problem = template === undefined ? undefined : templateProblem(template);
  const refused = "chats will be refused unless a gateway is started with --chat-template";
  if (problem !== undefined) onWarning(`The chat template in ${dir} can't be parsed (${problem}): ${refused}.`);
  if (template === undefined && !hasInst) {
    const places = "neither in tokenizer_config.json nor in chat_template.jinja";
    onWarning(`There is no chat template in ${dir}, ${places}: ${refused}.`);
  }
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

/** With a piece for each row of the embedding. */
interface FittedParts extends TokenizerParts {
  readonly pieces: readonly Piece[];
}

interface Facts {
  readonly settings: TokenizerSettings;
  readonly config: CheckpointConfig;
  readonly onWarning: (text: string) => void;
}

function describe(parts: FittedParts, facts: Facts): Metadata {
  const { pieces } = parts;
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
  return [...metadata, ...describeSpecials(parts, facts)];
}

function describeSpecials({ model, pieces, addSpacePrefix }: FittedParts, facts: Facts): Metadata {
  const { settings, config } = facts;
  const idOf = (text: string | undefined, otherwise: number | undefined): number | undefined => {
    const id = text === undefined ? -1 : pieces.findIndex((piece) => piece.text === text);
    return id === -1 ? otherwise : id;
  };
  const eosId = idOf(settings.eosText, config.eosIds[0]);
  const [eotId, eomId] = otherEnds(pieces, eosId, facts);
  const unknownId = pieces.findIndex(({ type }) => type === TOKEN_TYPE.unknown);
  const ids: [string, number | undefined][] = [
    ["bos", idOf(settings.bosText, config.bosId)],
    ["eos", eosId],
    ["eot", eotId],
    ["eom", eomId],
    ["unknown", unknownId === -1 ? undefined : unknownId],
  ];
  const isSentencePiece = model === "llama";
  const flags: [string, boolean | undefined][] = [
    ["add_bos_token", settings.addBos ?? (isSentencePiece ? true : undefined)],
    ["add_eos_token", settings.addEos ?? (isSentencePiece ? false : undefined)],
    ["add_space_prefix", settings.addSpacePrefix ?? addSpacePrefix],
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

/** The tokens beside `eosId` that end an answer. A file has a place for two of them, and warns of others. */
function otherEnds(pieces: readonly Piece[], eosId: number | undefined, { settings, config, onWarning }: Facts) {
  const named = settings.endIds.length > 0 ? settings.endIds : config.eosIds;
  const others = [...new Set(named)].filter((id) => id !== eosId && pieces[id] !== undefined);
  const left = others.slice(2).map((id) => JSON.stringify(pieces[id]?.text));
  if (left.length > 0) onWarning(`A GGUF file names three tokens that end an answer; left out: ${left.join(", ")}.`);
  return others;
}

/** The token of an embedding row that the vocabulary does not use. */
const padding = (id: number): Piece => ({ text: `[PAD${id}]`, score: -10_000, type: TOKEN_TYPE.unused });
