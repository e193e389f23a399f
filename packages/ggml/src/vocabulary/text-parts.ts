import {
  type LlamaBindings,
  TOKEN_ATTR_CONTROL,
  TOKEN_ATTR_LSTRIP,
  TOKEN_ATTR_RSTRIP,
  TOKEN_ATTR_UNKNOWN,
  TOKEN_ATTR_USER_DEFINED,
  VOCAB_TYPE_BPE,
  VOCAB_TYPE_SPM,
} from "../bindings/llama.js";
import type { Pointer } from "../bindings/pointer.js";
import { PiecePairs } from "./piece-pairs.js";
import { SpecialNames } from "./special-names.js";
import { bytePairCuts, sentencePieceCuts, type TextCuts } from "./text-cuts.js";

export interface TokenizeOptions {
  /** Add the tokens that the model expects around a text (BOS for Mistral and Llama). */
  readonly addSpecial: boolean;
  /** Read names of special tokens, such as "</s>", as those tokens instead of as text. */
  readonly parseSpecial: boolean;
}

type Tokenize = (text: string, options: TokenizeOptions) => Int32Array;

const PLAIN: TokenizeOptions = { addSpecial: false, parseSpecial: false };

export interface NativeVocabulary {
  readonly llama: LlamaBindings;
  readonly vocab: Pointer;
}

interface Parts {
  readonly tokenize: Tokenize;
  /** Names that are read as tokens in any text, and with `parseSpecial`; undefined where they can't be told apart. */
  readonly names: Readonly<Record<"always" | "special", SpecialNames | undefined>>;
  /** undefined for kinds of vocabularies that are not cut. */
  readonly cuts: TextCuts | undefined;
  readonly bos: number;
  /** UTF-16 units of a part, about. */
  readonly length: number;
}

/** Cuts texts into parts whose ids, one after the other, are the ids of the whole text. */
export class TextParts {
  readonly #parts: Parts;
  /** Ids of the anchor before a part. */
  readonly #anchorIds: number;

  private constructor(parts: Parts) {
    const { tokenize, cuts } = parts;
    this.#parts = parts;
    this.#anchorIds = cuts === undefined || cuts.anchor === "" ? 0 : tokenize(cuts.anchor, PLAIN).length;
  }

  /** Reads the texts of all pieces of a vocabulary. `tokenize` is libllama's, for one part. */
  static of({ llama, vocab }: NativeVocabulary, { tokenize, length }: Pick<Parts, "tokenize" | "length">): TextParts {
    const pieces = Array.from({ length: llama.vocabNTokens(vocab) }, (_, id) => ({
      id,
      name: llama.vocabGetText(vocab, id),
      attributes: llama.vocabGetAttr(vocab, id),
    }));
    const having = (mask: number) => pieces.filter(({ attributes }) => (attributes & mask) !== 0);
    const strips = having(TOKEN_ATTR_LSTRIP | TOKEN_ATTR_RSTRIP).length > 0;
    const named = (mask: number) => (strips ? undefined : SpecialNames.of(having(mask)));
    const always = named(TOKEN_ATTR_USER_DEFINED);
    const special = named(TOKEN_ATTR_USER_DEFINED | TOKEN_ATTR_CONTROL | TOKEN_ATTR_UNKNOWN);
    const texts = pieces.map(({ name }) => name);
    const cuts = cutsOf(llama.vocabType(vocab), texts);
    return new TextParts({ tokenize, length, names: { always, special }, cuts, bos: llama.vocabBos(vocab) });
  }

  /** `text` has no halves of surrogate pairs. */
  tokenize(text: string, options: TokenizeOptions): Int32Array {
    const { cuts, tokenize } = this.#parts;
    const names = options.parseSpecial ? this.#parts.names.special : this.#parts.names.always;
    if (names === undefined || cuts === undefined) return tokenize(text, options);
    const [before, after] = options.addSpecial ? this.#around() : [[], []];
    const ids: (Int32Array | readonly number[])[] = [before];
    for (const part of names.split(text)) {
      if (typeof part === "number") ids.push([part]);
      else this.#cut(part, cuts, ids);
    }
    return joined([...ids, after]);
  }

  /** Adds the ids of a text without names, which libllama would begin with a space where the vocabulary asks for it. */
  #cut(text: string, { anchor, after }: TextCuts, ids: (Int32Array | readonly number[])[]): void {
    const { tokenize, length } = this.#parts;
    for (let from = 0, to = 0; from < text.length; from = to) {
      to = after(text, from + length);
      const part = text.slice(from, to);
      ids.push(from === 0 ? tokenize(part, PLAIN) : tokenize(anchor + part, PLAIN).subarray(this.#anchorIds));
    }
  }

  /** The ids before and after a text, such as BOS and EOS. */
  #around(): readonly [readonly number[], readonly number[]] {
    const ids = [...this.#parts.tokenize("", { addSpecial: true, parseSpecial: false })];
    const begins = ids[0] === this.#parts.bos ? 1 : 0;
    return [ids.slice(0, begins), ids.slice(begins)];
  }
}

function cutsOf(kind: number, pieces: readonly string[]): TextCuts | undefined {
  if (kind === VOCAB_TYPE_SPM) return sentencePieceCuts(new PiecePairs(pieces));
  return kind === VOCAB_TYPE_BPE ? bytePairCuts(new PiecePairs(pieces)) : undefined;
}

function joined(parts: readonly (Int32Array | readonly number[])[]): Int32Array {
  const all = new Int32Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
