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
import { bytePairCuts } from "./text-cuts.js";
import { TextWindows } from "./text-windows.js";

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

interface Libllama {
  readonly tokenize: Tokenize;
  /** UTF-16 units of a text, about, that it gets at a time. */
  readonly length: number;
}

/** The ids of a text without names, in parts; the first begins with a space where the vocabulary asks for it. */
type IdsInParts = (text: string) => readonly Int32Array[];

interface Parts {
  readonly tokenize: Tokenize;
  /** Names that are read as tokens in any text, and with `parseSpecial`; undefined where they can't be told apart. */
  readonly names: Readonly<Record<"always" | "special", SpecialNames | undefined>>;
  /** undefined for kinds of vocabularies that are not cut. */
  readonly idsInParts: IdsInParts | undefined;
  readonly bos: number;
}

/** Cuts texts into parts whose ids, one after the other, are the ids of the whole text. */
export class TextParts {
  readonly #parts: Parts;

  private constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Reads the texts of all pieces of a vocabulary. `tokenize` is libllama's, for one part. */
  static of({ llama, vocab }: NativeVocabulary, libllama: Libllama): TextParts {
    const pieces = Array.from({ length: llama.vocabNTokens(vocab) }, (_, id) => ({
      id,
      name: llama.vocabGetText(vocab, id),
      attributes: llama.vocabGetAttr(vocab, id),
    }));
    const having = (mask: number) => pieces.filter(({ attributes }) => (attributes & mask) !== 0);
    const strips = having(TOKEN_ATTR_LSTRIP | TOKEN_ATTR_RSTRIP).length > 0;
    const named = (mask: number) => (strips ? undefined : SpecialNames.unlessOverlapping(having(mask)));
    const always = named(TOKEN_ATTR_USER_DEFINED);
    const special = named(TOKEN_ATTR_USER_DEFINED | TOKEN_ATTR_CONTROL | TOKEN_ATTR_UNKNOWN);
    const texts = pieces.map(({ name }) => name);
    const idsInParts = partsOf(llama.vocabType(vocab), texts, libllama);
    const { tokenize } = libllama;
    return new TextParts({ tokenize, names: { always, special }, idsInParts, bos: llama.vocabBos(vocab) });
  }

  /** `text` has no halves of surrogate pairs. */
  tokenize(text: string, options: TokenizeOptions): Int32Array {
    const { idsInParts, tokenize } = this.#parts;
    const names = options.parseSpecial ? this.#parts.names.special : this.#parts.names.always;
    if (names === undefined || idsInParts === undefined) return tokenize(text, options);
    const [before, after] = options.addSpecial ? this.#around() : [[], []];
    const ids: (Int32Array | readonly number[])[] = [before];
    for (const part of names.split(text)) {
      if (typeof part === "number") ids.push([part]);
      else for (const each of idsInParts(part)) ids.push(each);
    }
    return joined([...ids, after]);
  }

  /** The ids before and after a text, such as BOS and EOS. */
  #around(): readonly [readonly number[], readonly number[]] {
    const ids = [...this.#parts.tokenize("", { addSpecial: true, parseSpecial: false })];
    const begins = ids[0] === this.#parts.bos ? 1 : 0;
    return [ids.slice(0, begins), ids.slice(begins)];
  }
}

function partsOf(kind: number, pieces: readonly string[], { tokenize, length }: Libllama): IdsInParts | undefined {
  const plain = (text: string) => tokenize(text, PLAIN);
  if (kind === VOCAB_TYPE_SPM) {
    const windows = new TextWindows(pieces, plain, length);
    return (text) => windows.ids(text);
  }
  if (kind !== VOCAB_TYPE_BPE) return undefined;
  const cutAfter = bytePairCuts(new PiecePairs(pieces));
  return (text) => {
    const ids: Int32Array[] = [];
    for (let from = 0, to = 0; from < text.length; from = to) {
      to = cutAfter(text, from + length);
      ids.push(plain(text.slice(from, to)));
    }
    return ids;
  };
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
