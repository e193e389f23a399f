import { wholeCharacters } from "./text-cuts.js";

/** UTF-16 units that a window reads beyond its cut, at first: more than nearly all joins at the cut depend on. */
const BEYOND = 64;

/** Characters that some text may need as an anchor; the first that no piece holds is taken. */
const PRIVATE_USE = 0xe000;

/** libllama's tokenizer, for one window: without special tokens. */
type TokenizePlain = (text: string) => Int32Array;

interface Window {
  readonly ids: Int32Array;
  /** Where the text goes on after these ids, in UTF-16 units. */
  readonly to: number;
  /** The id that the window had there. */
  readonly next: number | undefined;
}

/**
 * Tokenizes long texts as SentencePiece does, in windows whose ids, one after the other, are the ids of the whole.
 *
 * SentencePiece begins with single characters and joins two neighbours when their joined text is a piece: best score
 * first, then from the left. What a run of tokens does inside depends on nothing outside it as long as nothing joins
 * across its ends, since its joins happen in the same order in any text. So
 *
 * 1. two tokens that are neighbours in the ids of one text are the ids of their own two texts, and
 * 2. ids of which each two neighbours are that are the ids of their text: the first join across two of them would also
 *    happen in the text of these two alone.
 *
 * A window is cut between two of its tokens, and the next window begins there. If it begins with the token that the
 * first one had behind the cut, the two at the cut are neighbours by 1, and both windows are right by 2. If not, joins
 * at the cut depend on more of what follows: the window is read again, twice as far beyond its cut, as are those after
 * it. How far joins depend on each other is bounded by the vocabulary, whatever the text: each must have a better score
 * than the one to its left.
 */
export class TextWindows {
  readonly #tokenize: TokenizePlain;
  /** UTF-16 units of the text that each id stands for. */
  readonly #units: Uint16Array;
  readonly #length: number;
  /** Put before each window but the first, so that no space is added to it; its ids are taken off again. */
  readonly #anchor: string;
  readonly #anchorIds: number;
  /** 1 where the vocabulary adds a space before a text, otherwise 0. */
  readonly #added: number;

  /** `pieces`: the vocabulary's, by id. `length`: UTF-16 units of a window, about. */
  constructor(pieces: readonly string[], tokenize: TokenizePlain, length: number) {
    this.#tokenize = tokenize;
    this.#units = Uint16Array.from(pieces, unitsOf);
    this.#length = length;
    this.#anchor = strangerTo(pieces);
    const anchorIds = tokenize(this.#anchor);
    this.#anchorIds = anchorIds.length;
    this.#added = this.#count(anchorIds) - this.#anchor.length;
  }

  /** `text` names no special token. */
  ids(text: string): readonly Int32Array[] {
    const windows: (Window & { readonly from: number })[] = [];
    for (let from = 0, beyond = Math.min(BEYOND, this.#length); from < text.length; ) {
      const window = this.#read(text, from, beyond);
      const before = windows.at(-1);
      if (window !== undefined && (before === undefined || before.next === window.ids[0])) {
        windows.push({ ...window, from });
        from = window.to;
        continue;
      }
      beyond *= 2;
      if (window !== undefined) from = windows.pop()?.from ?? 0;
    }
    return windows.map(({ ids }) => ids);
  }

  /** The window that begins at `from`; undefined where it has no place for a cut. */
  #read(text: string, from: number, beyond: number): Window | undefined {
    const end = wholeCharacters(text, from + this.#length + beyond);
    const part = text.slice(from, end);
    const ids = from === 0 ? this.#tokenize(part) : this.#tokenize(this.#anchor + part).subarray(this.#anchorIds);
    if (end === text.length) return { ids, to: end, next: undefined };
    const begin = from === 0 ? -this.#added : from;
    if (begin + this.#count(ids) !== end) return undefined; // pieces that are not written as they are named
    let [kept, to] = [0, begin];
    while (to < from + this.#length || this.#units[ids[kept] ?? -1] === 0) to += this.#units[ids[kept++] ?? 0] ?? 0;
    return kept === ids.length ? undefined : { ids: ids.subarray(0, kept), to, next: ids[kept] };
  }

  #count(ids: Int32Array): number {
    return ids.reduce((sum, id) => sum + (this.#units[id] ?? 0), 0);
  }
}

/** UTF-16 units of the text of a piece. A character in bytes, one in a piece, counts with its first byte. */
function unitsOf(piece: string): number {
  const [, hex] = /^<0x([0-9A-F]{2})>$/.exec(piece) ?? [];
  if (hex === undefined) return piece.length;
  const byte = Number.parseInt(hex, 16);
  if (byte >= 0x80 && byte < 0xc0) return 0;
  return byte < 0xf0 ? 1 : 2;
}

/** A character that no piece holds, so that it joins nothing. */
function strangerTo(pieces: readonly string[]): string {
  const held = new Set(pieces.join(""));
  let point = PRIVATE_USE;
  while (held.has(String.fromCodePoint(point))) point++;
  return String.fromCodePoint(point);
}
