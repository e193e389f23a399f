import { RhoneError } from "@rhone/common/rhone-error";
import { checkId } from "./added-tokens.js";
import { isJsonObject, type JsonObject } from "./json-file.js";
import { type Piece, TOKEN_TYPE } from "./sentencepiece-model.js";

/** The part of a `tokenizer.json` that goes into a GGUF file, without its added tokens (`readAddedTokens`). */
export interface JsonTokenizer {
  /** llama: SentencePiece's spaces and byte fallback. gpt2: byte-level BPE. */
  readonly model: "llama" | "gpt2";
  /** libllama's name of the rule that splits text before merging. */
  readonly pre: string;
  readonly pieces: readonly (Piece | undefined)[];
  /** For gpt2: two pieces with a space between, in order of rank. */
  readonly merges: readonly string[];
}

/** libllama's names of the regular expressions that split text before merging, by the pattern in `tokenizer.json`. */
const SPLIT_PATTERNS: ReadonlyMap<unknown, string> = new Map([
  [
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+" +
      "|\\s+(?!\\S)|\\s+",
    "llama-bpe",
  ],
]);

const unsupported = (problem: string): RhoneError => new RhoneError("TOKENIZER_UNSUPPORTED", problem);

/** Reads the content of a `tokenizer.json`. Throws TOKENIZER_UNSUPPORTED naming the part that is not supported. */
export function parseTokenizerJson(path: string, json: JsonObject): JsonTokenizer {
  const model = isJsonObject(json.model) ? json.model : {};
  if (model.type !== "BPE") {
    const found = model.type === undefined ? "no model with a type" : `a tokenizer of type ${model.type}`;
    throw unsupported(`${path} holds ${found}; only BPE tokenizers can be converted.`);
  }
  if (!isJsonObject(model.vocab)) throw unsupported(`${path}: model.vocab must be an object of ids by token.`);
  if (!Array.isArray(model.merges)) throw unsupported(`${path}: model.merges must be a list.`);
  const affix = ["continuing_subword_prefix", "end_of_word_suffix"].find((name) => (model[name] ?? "") !== "");
  if (affix !== undefined)
    throw unsupported(
      `${path}: model.${affix} is ${JSON.stringify(model[affix])}; only tokenizers without it can be converted.`,
    );
  const merges = model.merges.map((merge: unknown) => parseMerge(path, merge));
  const isSentencePiece = model.byte_fallback === true;
  const pieces: (Piece | undefined)[] = [];
  const scoreOf = isSentencePiece ? mergeScores(merges) : () => 0;
  for (const [text, id] of Object.entries(model.vocab)) {
    const place = checkId(path, text, id);
    const other = pieces[place];
    if (other !== undefined)
      throw unsupported(`${path}: the id ${place} is both ${JSON.stringify(other.text)} and ${JSON.stringify(text)}.`);
    pieces[place] = { text, score: scoreOf(text), type: typeOf(text, isSentencePiece, model.unk_token) };
  }
  checkMerges(path, merges, new Set(Object.keys(model.vocab)));
  return {
    model: isSentencePiece ? "llama" : "gpt2",
    pre: isSentencePiece ? "default" : preTokenizer(path, json.pre_tokenizer),
    pieces: Array.from(pieces),
    merges: isSentencePiece ? [] : merges.map(([left, right]) => `${left} ${right}`),
  };
}

/** Older files join the two halves by a space, newer ones list them. */
function parseMerge(path: string, merge: unknown): readonly [string, string] {
  const halves: unknown = typeof merge === "string" ? merge.split(" ") : merge;
  if (Array.isArray(halves) && halves.length === 2 && halves.every((half) => typeof half === "string")) {
    return halves as [string, string];
  }
  throw unsupported(`${path}: the merge ${JSON.stringify(merge)} is not two pieces.`);
}

/** Throws for merges of, or into, pieces that have no id: a merge that can never be made hides the wrong vocabulary. */
function checkMerges(path: string, merges: readonly (readonly [string, string])[], vocab: ReadonlySet<string>): void {
  const lacking = ([left, right]: readonly [string, string]) =>
    [left, right, left + right].find((piece) => !vocab.has(piece));
  const bad = merges.flatMap((merge, rank) => {
    const piece = lacking(merge);
    return piece === undefined ? [] : [{ merge, rank, piece }];
  });
  const [first] = bad;
  if (first === undefined) return;
  const [left, right] = first.merge.map((half) => JSON.stringify(half));
  throw unsupported(
    `${path}: model.vocab lacks a piece of ${bad.length} of ${merges.length} merges. The first is merge ${first.rank}, ` +
      `${left} and ${right}, for which ${JSON.stringify(first.piece)} has no id. Is this the tokenizer of another model?`,
  );
}

/**
 * SentencePiece first merges the pair whose result has the highest score, tokenizer.json the pair of lowest rank. The
 * negated rank of the first merge that makes a piece gives the same order.
 */
function mergeScores(merges: readonly (readonly [string, string])[]): (text: string) => number {
  const ranks = new Map<string, number>();
  for (const [rank, [left, right]] of merges.entries()) {
    const text = left + right;
    if (!ranks.has(text)) ranks.set(text, rank);
  }
  return (text) => -(ranks.get(text) ?? merges.length);
}

function typeOf(text: string, isSentencePiece: boolean, unknownToken: unknown): number {
  if (isSentencePiece && text === unknownToken) return TOKEN_TYPE.unknown;
  return isSentencePiece && /^<0x[0-9A-F]{2}>$/.test(text) ? TOKEN_TYPE.byte : TOKEN_TYPE.normal;
}

function preTokenizer(path: string, config: unknown): string {
  const steps =
    isJsonObject(config) && Array.isArray(config.pretokenizers) ? (config.pretokenizers as unknown[]) : [config];
  const kinds = steps.map((step) => (isJsonObject(step) ? step.type : undefined)).join("+");
  const [first] = steps;
  const pattern = isJsonObject(first) && isJsonObject(first.pattern) ? first.pattern.Regex : undefined;
  const named = SPLIT_PATTERNS.get(pattern);
  if (kinds === "Split+ByteLevel" && named !== undefined) return named;
  if (kinds === "Digits+ByteLevel" && isJsonObject(first) && first.individual_digits === true) return "smollm";
  if (kinds === "ByteLevel") return "gpt-2";
  throw unsupported(
    `${path}: the pre-tokenizer ${kinds || "none"}${pattern === undefined ? "" : ` with ${JSON.stringify(pattern)}`} ` +
      "is not supported; Llama 3's, SmolLM2's and GPT-2's are.",
  );
}
