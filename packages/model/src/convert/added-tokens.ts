import { join } from "node:path";
import { RhoneError } from "@rhone/common/rhone-error";
import { isJsonObject, type JsonObject, readJsonFile } from "./json-file.js";
import { type Piece, TOKEN_TYPE } from "./sentencepiece-model.js";

/** A token that was put beside the vocabulary of a tokenizer, as fine-tunes do for the marks of their chats. */
export interface AddedToken {
  readonly id: number;
  readonly text: string;
  /** TOKEN_TYPE.control or TOKEN_TYPE.userDefined. */
  readonly type: number;
  /** The file that says so. */
  readonly source: string;
}

/** As llama.cpp gives it: below every piece, so that SentencePiece's merges make no such token of its letters. */
const ADDED_SCORE = -1000;
const MOST_IDS = 1 << 24;

/**
 * The kind of an added token. Some files call marks like <|im_start|> ordinary; then a caller could write them, since
 * such tokens are read in every text.
 */
const addedType = (text: string, isSpecial: boolean): number =>
  isSpecial || /^<[|｜].*[|｜]>$/s.test(text) ? TOKEN_TYPE.control : TOKEN_TYPE.userDefined;

/** Throws TOKENIZER_UNSUPPORTED for what cannot be the id of a token. */
export function checkId(path: string, text: string, id: unknown): number {
  if (typeof id === "number" && Number.isInteger(id) && id >= 0 && id < MOST_IDS) return id;
  const found = id === undefined ? "no id" : `the id ${JSON.stringify(id)}`;
  throw unsupported(
    `${path}: the token ${JSON.stringify(text)} has ${found}; ids are whole numbers below ${MOST_IDS}.`,
  );
}

/**
 * The tokens of added_tokens.json, of `added_tokens_decoder` in tokenizer_config.json and of `added_tokens` in
 * tokenizer.json, by id; each may be missing. special_tokens_map.json and tokenizer_config.json say which of them are
 * control tokens. `jsonPath`: of a tokenizer.json in another folder. Throws TOKENIZER_UNSUPPORTED when two of them give
 * an id different texts.
 */
export async function readAddedTokens(
  dir: string,
  jsonPath = join(dir, "tokenizer.json"),
): Promise<readonly AddedToken[]> {
  const [configPath, addedPath] = [join(dir, "tokenizer_config.json"), join(dir, "added_tokens.json")];
  const config = (await readJsonFile(configPath)) ?? {};
  const special = new Set([...specialTexts(config), ...specialTexts(await readSpecialTokensMap(dir))]);
  const tokens = new Map<number, AddedToken>();
  const add = (source: string, { id, text, isSpecial }: { id: unknown; text: string; isSpecial: boolean }): void => {
    const place = checkId(source, text, id);
    const other = tokens.get(place);
    if (other !== undefined && other.text !== text) throw twoTexts(place, other, { source, text });
    tokens.set(place, { id: place, text, type: addedType(text, isSpecial || special.has(text)), source });
  };
  for (const [text, id] of Object.entries((await readJsonFile(addedPath)) ?? {})) {
    add(addedPath, { id, text, isSpecial: false });
  }
  const decoder = isJsonObject(config.added_tokens_decoder) ? config.added_tokens_decoder : {};
  for (const [key, token] of Object.entries(decoder)) {
    const text = tokenText(token);
    if (text === undefined) continue;
    add(configPath, { id: Number(key), text, isSpecial: isMarked(token) });
  }
  for (const token of [(await readJsonFile(jsonPath))?.added_tokens].flat().filter(isJsonObject)) {
    const text = tokenText(token);
    if (text !== undefined) add(jsonPath, { id: token.id, text, isSpecial: isMarked(token) });
  }
  return [...tokens.values()].sort((a, b) => a.id - b.id);
}

const isMarked = (token: unknown): boolean => isJsonObject(token) && token.special === true;

/** special_tokens_map.json; empty when there is none. */
export const readSpecialTokensMap = async (dir: string): Promise<JsonObject> =>
  (await readJsonFile(join(dir, "special_tokens_map.json"))) ?? {};

/** Special tokens are texts, or objects with the text under `content`. */
export function tokenText(token: unknown): string | undefined {
  if (typeof token === "string") return token;
  return isJsonObject(token) && typeof token.content === "string" ? token.content : undefined;
}

const SPECIAL_KEYS = [
  ...["bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token"],
  "additional_special_tokens",
];

const specialTexts = (json: JsonObject): readonly string[] =>
  SPECIAL_KEYS.flatMap((key) => [json[key]].flat()).flatMap((token) => tokenText(token) ?? []);

/**
 * A vocabulary with its added tokens. Throws TOKENIZER_UNSUPPORTED where one would take the place of a piece of text; a
 * control token or an unused one gives its place up.
 */
export function withAddedTokens(
  path: string,
  pieces: readonly (Piece | undefined)[],
  added: readonly AddedToken[],
): readonly (Piece | undefined)[] {
  const all = [...pieces];
  for (const { id, text, type, source } of added) {
    const piece = all[id];
    if (piece?.text === text) {
      if (piece.type === TOKEN_TYPE.normal || piece.type === TOKEN_TYPE.userDefined) all[id] = { ...piece, type };
    } else if (piece === undefined || REPLACED.has(piece.type)) {
      all[id] = { text, score: ADDED_SCORE, type };
    } else {
      throw twoTexts(id, { source: path, text: piece.text }, { source, text });
    }
  }
  return Array.from(all);
}

const REPLACED: ReadonlySet<number> = new Set([TOKEN_TYPE.control, TOKEN_TYPE.userDefined, TOKEN_TYPE.unused]);

/** Throws TOKENIZER_UNSUPPORTED for a text that two ids have: libllama would end the process. */
export function checkTexts(path: string, pieces: readonly Piece[]): void {
  const ids = new Map<string, number>();
  for (const [id, { text }] of pieces.entries()) {
    const other = ids.get(text);
    if (other !== undefined)
      throw unsupported(`${path}: the ids ${other} and ${id} both have ${JSON.stringify(text)}.`);
    ids.set(text, id);
  }
}

type Named = Pick<AddedToken, "source" | "text">;

const twoTexts = (id: number, first: Named, second: Named): RhoneError =>
  unsupported(
    `The id ${id} is ${JSON.stringify(first.text)} in ${first.source} and ${JSON.stringify(second.text)} in ` +
      `${second.source}; correct the one that is wrong.`,
  );

const unsupported = (problem: string): RhoneError => new RhoneError("TOKENIZER_UNSUPPORTED", problem);
