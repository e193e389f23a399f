import { type Finish, LogprobList, type TokenLogprob } from "@rhone/common";
import { leadingSpaceStripper, type TextModel } from "./text-model.js";

/** A token's score, with the part of the token that the answer shows. */
export interface ShownScore {
  readonly score: TokenLogprob;
  /** None of a token that is not shown, such as an end token. */
  readonly bytes: Uint8Array;
  /** The token lost the tokenizer's space, so its alternatives are named without theirs. */
  readonly lacksSpace: boolean;
}

/** How an answer shows its tokens. */
export interface Shown {
  /** It begins with a space that is not shown. */
  readonly hiddenSpace: boolean;
  /** Control tokens are shown by their names. */
  readonly special: boolean;
}

/** A token's score and text, and where the text begins and ends in the answer, in UTF-16 units. */
interface Placed extends ShownScore {
  readonly text: string;
  readonly from: number;
  readonly to: number;
}

/**
 * Most scores that are held back: 256 with 20 alternatives take 0.6 MB. The tokens of a longer beginning of a stop
 * string are given out before it is certain that they are shown.
 */
const MOST_HELD = 256;

/**
 * Gives the scores of an answer's tokens out as soon as their text is shown. So the texts of the tokens make the
 * answer's text: without the tokenizer's space at the beginning, and up to a stop string.
 */
export class ShownScores {
  readonly #model: Pick<TextModel, "pieceBytes">;
  readonly #shown: Shown;
  readonly #strip: (text: string) => string;
  /** Made for the first token: most of 2,048 choices have no scores. */
  #decoder: InstanceType<typeof TextDecoder> | undefined;
  #isBeginning: boolean;
  /** UTF-16 units of the tokens so far. */
  #read = 0;
  #held: Placed[] = [];
  #units: number;

  /** `units`: UTF-16 units of a text that is known already. */
  constructor(model: Pick<TextModel, "pieceBytes">, shown: Shown, units = 0) {
    this.#units = units;
    this.#model = model;
    this.#shown = shown;
    this.#strip = leadingSpaceStripper(shown.hiddenSpace);
    this.#isBeginning = shown.hiddenSpace;
  }

  /** UTF-16 units of the text so far. */
  get units(): number {
    return this.#units;
  }

  /** Takes an event's text as the coordinator sent it. */
  show(text: string): void {
    this.#units += this.#strip(text).length;
  }

  /** Takes a token in. Returns the scores of the tokens whose text is shown by now. */
  take(score: TokenLogprob): readonly ShownScore[] {
    this.#held.push(this.#place(score));
    const hidden = this.#held.findIndex(({ to }) => to > this.#units);
    const count = Math.max(hidden < 0 ? this.#held.length : hidden, this.#held.length - MOST_HELD);
    return this.#held.splice(0, count);
  }

  /** The scores that are still held back, at the end of the text: a stop string cuts its first token off. */
  end(finish: Finish | undefined): readonly ShownScore[] {
    const rest = this.#held.splice(0);
    if (!isCut(finish)) return rest;
    return rest.flatMap((each) => {
      if (each.to <= this.#units) return [each];
      const shown = each.text.slice(0, Math.max(0, this.#units - each.from));
      return shown === "" ? [] : [{ ...each, bytes: Buffer.from(shown) }];
    });
  }

  #place(score: TokenLogprob): Placed {
    const all = this.#model.pieceBytes(score.token, { special: this.#shown.special });
    const lacksSpace = this.#isBeginning && all.length > 0;
    if (lacksSpace) this.#isBeginning = false;
    const bytes = lacksSpace ? withoutSpace(all) : all;
    this.#decoder ??= new TextDecoder("utf-8", { ignoreBOM: true });
    const text = this.#decoder.decode(bytes, { stream: true });
    const from = this.#read;
    this.#read += text.length;
    return { score, bytes, lacksSpace, text, from, to: this.#read };
  }
}

const isCut = (finish: Finish | undefined): boolean => finish?.reason === "stop" && typeof finish.matched === "string";

const SPACE = 0x20;

export const withoutSpace = (bytes: Uint8Array): Uint8Array => (bytes[0] === SPACE ? bytes.subarray(1) : bytes);

/**
 * Scores of a text as they are shown, for as long as they are needed. Almost all are of whole tokens: those take a
 * tenth of the memory of objects.
 */
export class ShownScoreList implements Iterable<ShownScore> {
  readonly #model: Pick<TextModel, "pieceBytes">;
  readonly #scores = new LogprobList();
  /** Of tokens that are shown in part, by their index: the first without its space, the last up to a stop string. */
  readonly #inPart = new Map<number, ShownScore>();
  #length = 0;

  constructor(model: Pick<TextModel, "pieceBytes">) {
    this.#model = model;
  }

  get length(): number {
    return this.#length;
  }

  /** Takes in the scores of tokens that are shown, and passes over the others. */
  push(scores: Iterable<ShownScore>): void {
    for (const each of scores) {
      if (each.bytes.length === 0) continue;
      const isWhole = !each.lacksSpace && each.bytes.length === this.#bytesOf(each.score).length;
      if (!isWhole) this.#inPart.set(this.#length, each);
      this.#length++;
      this.#scores.push([each.score]);
    }
  }

  *[Symbol.iterator](): Generator<ShownScore, void, undefined> {
    let index = 0;
    for (const score of this.#scores)
      yield this.#inPart.get(index++) ?? { score, bytes: this.#bytesOf(score), lacksSpace: false };
  }

  #bytesOf({ token }: TokenLogprob): Uint8Array {
    return this.#model.pieceBytes(token, { special: true });
  }
}

export interface WholeAnswer extends Shown {
  readonly scores: Iterable<TokenLogprob>;
  /** UTF-16 units of the answer's text. */
  readonly units: number;
  readonly finish: Finish | undefined;
}

/** The scores of a whole answer. */
export function* shownScores(
  model: Pick<TextModel, "pieceBytes">,
  { scores, units, finish, ...shown }: WholeAnswer,
): Generator<ShownScore, void, undefined> {
  const all = new ShownScores(model, shown, units);
  for (const score of scores) yield* all.take(score);
  yield* all.end(finish);
}
