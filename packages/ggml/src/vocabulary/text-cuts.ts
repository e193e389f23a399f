import type { PiecePairs } from "./piece-pairs.js";

/** Where a text may be cut in two so that the ids of the parts are the ids of the whole. */
export interface TextCuts {
  /** Put before each part but the first, so that no space is added to it; its ids are taken off again. */
  readonly anchor: string;
  /** The first place at or after `least` (UTF-16 units) where `text` may be cut; its length when there is none. */
  after(text: string, least: number): number;
}

const SPACE = 0x20;
/** SentencePiece writes a space as ▁. */
const SPACE_MARK = 0x2581;

/** Between two characters that no piece of the vocabulary holds next to each other. */
export function sentencePieceCuts(pairs: PiecePairs): TextCuts {
  const written = (point: number) => (point === SPACE ? SPACE_MARK : point);
  return {
    anchor: pairs.stranger(),
    after(text, least) {
      let place = wholeCharacters(text, least);
      for (let left = written(pointBefore(text, place)); place < text.length; ) {
        const point = text.codePointAt(place) ?? 0;
        if (!pairs.have(left, written(point))) return place;
        left = written(point);
        place += point > 0xffff ? 2 : 1;
      }
      return text.length;
    },
  };
}

/**
 * The longest run without a cut that libllama gets. The regular expressions that split words for some vocabularies
 * (tekken, gpt-4o, deepseek) recurse at each character: with tekken and a stack of 16 MiB, 40,000 letters passed and
 * 80,000 ended the process. A longer run is cut all the same; the ids around the cut may then differ from libllama's.
 * So a native call takes 0.21 s at most (CJK with SentencePiece, on a busy core), and a thread that is ended stops
 * within that time.
 */
const LONGEST_RUN = 16_384;

/**
 * Between a letter and the space or line feed after it: every vocabulary's regular expressions end a word there, or
 * (superbpe, gemma4) its pieces hold such pairs, and then it is not cut. The texts of pieces write these as Ġ and Ċ, or
 * as ▁.
 */
export function bytePairCuts(pairs: PiecePairs): TextCuts {
  const spellings: Readonly<Record<string, string>> = { " ": " Ġ▁", "\n": "\nĊ" };
  const joins = (letter: string, blank: string) =>
    [...(spellings[blank] ?? "")].some((each) => pairs.have(letter.charCodeAt(0), each.charCodeAt(0)));
  return {
    anchor: "",
    after(text, least) {
      const most = wholeCharacters(text, least + LONGEST_RUN);
      for (let place = least; place < most; place++) {
        const [letter, blank] = [text[place - 1] ?? "", text[place] ?? ""];
        if (/[A-Za-z]/.test(letter) && /[ \n]/.test(blank) && !joins(letter, blank)) return place;
      }
      return most;
    },
  };
}

/** `place`, or the one after it where `place` is inside a surrogate pair; at most the text's length. */
function wholeCharacters(text: string, place: number): number {
  if (place >= text.length) return text.length;
  return (text.codePointAt(place - 1) ?? 0) > 0xffff ? place + 1 : place;
}

function pointBefore(text: string, place: number): number {
  const last = text.charCodeAt(place - 1);
  const isPair = last >= 0xdc00 && last < 0xe000 && (text.codePointAt(place - 2) ?? 0) > 0xffff;
  return isPair ? (text.codePointAt(place - 2) ?? 0) : last;
}
