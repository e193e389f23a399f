import type { PiecePairs } from "./piece-pairs.js";

/** The first place at or after `least` (UTF-16 units) where `text` may be cut; its length when there is none. */
export type CutAfter = (text: string, least: number) => number;

/**
 * The longest run without a cut that libllama gets. The regular expressions that split words for some vocabularies
 * (tekken, gpt-4o, deepseek) recurse at each character: with tekken and a stack of 16 MiB, 40,000 letters passed and
 * 80,000 ended the process. A longer run is cut all the same; the ids around the cut may then differ from libllama's.
 * A thread that is ended stops when the native call of its part returns.
 */
const LONGEST_RUN = 16_384;

/**
 * Between a letter and the space or line feed after it: every vocabulary's regular expressions end a word there, or
 * (superbpe, gemma4) its pieces hold such pairs, and then it is not cut. The texts of pieces write these as Ġ and Ċ, or
 * as ▁.
 */
export function bytePairCuts(pairs: PiecePairs): CutAfter {
  const spellings: Readonly<Record<string, string>> = { " ": " Ġ▁", "\n": "\nĊ" };
  const joins = (letter: string, blank: string) =>
    [...(spellings[blank] ?? "")].some((each) => pairs.have(letter.charCodeAt(0), each.charCodeAt(0)));
  return (text, least) => {
    const most = wholeCharacters(text, least + LONGEST_RUN);
    for (let place = least; place < most; place++) {
      const [letter, blank] = [text[place - 1] ?? "", text[place] ?? ""];
      if (/[A-Za-z]/.test(letter) && /[ \n]/.test(blank) && !joins(letter, blank)) return place;
    }
    return most;
  };
}

/** `place`, or the one after it where `place` is inside a surrogate pair; at most the text's length. */
export function wholeCharacters(text: string, place: number): number {
  if (place >= text.length) return text.length;
  return (text.codePointAt(place - 1) ?? 0) > 0xffff ? place + 1 : place;
}
