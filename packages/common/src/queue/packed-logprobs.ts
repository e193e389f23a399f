/** One token's log-probability (natural log, of the unmodified distribution) and its best alternatives, best first. */
export interface TokenLogprob {
  readonly token: number;
  readonly logprob: number;
  /** [token, log-probability] */
  readonly top: readonly (readonly [number, number])[];
}

const WORD = 4;
/** Words before a token's alternatives. */
const HEAD = 3;
const PAIR = 2;

/**
 * Log-probabilities as an event holds them: base64 of little-endian words, the byte order of every platform that Node
 * runs on. Each token takes an int32 id, its f32 log-probability, the int32 number n of its alternatives, and n times
 * an id and a log-probability. A token with 20 alternatives takes 230 bytes, as JSON 580; f32 is what the stages send.
 */
export function packLogprobs(list: readonly TokenLogprob[]): string {
  const words = new DataView(new ArrayBuffer(list.reduce((sum, { top }) => sum + scoreBytes(top.length), 0)));
  let at = 0;
  for (const score of list) at = put(words, at, score);
  return Buffer.from(words.buffer).toString("base64");
}

/** Throws when `packed` is not by `packLogprobs`. */
export function unpackLogprobs(packed: string): readonly TokenLogprob[] {
  const bytes = Buffer.from(packed, "base64");
  return [...scoresIn(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength))];
}

/** Bytes of a packed token with this many alternatives. */
export const scoreBytes = (alternatives: number): number => WORD * (HEAD + PAIR * alternatives);

const EMPTY = new DataView(new ArrayBuffer(0));
/** Bytes of memory that a list takes at a time. */
const MOST_CHUNK = 64 * 1024;

/** Log-probabilities that are kept, in order: a token with 20 alternatives takes 172 bytes, as objects 2.2 KB. */
export class LogprobList implements Iterable<TokenLogprob> {
  readonly #full: DataView[] = [];
  #open = EMPTY;
  #at = 0;

  /** The values become f32. */
  push(list: readonly TokenLogprob[]): void {
    for (const score of list) {
      const bytes = scoreBytes(score.top.length);
      if (this.#at + bytes > this.#open.byteLength) this.#grow(bytes);
      this.#at = put(this.#open, this.#at, score);
    }
  }

  *[Symbol.iterator](): Generator<TokenLogprob, void, undefined> {
    for (const words of this.#full) yield* scoresIn(words);
    yield* scoresIn(this.#used());
  }

  /** A short list takes little, and a long one at most 64 KiB more than its tokens. */
  #grow(bytes: number): void {
    if (this.#at > 0) this.#full.push(this.#used());
    this.#open = new DataView(new ArrayBuffer(Math.max(bytes, Math.min(2 * this.#open.byteLength, MOST_CHUNK))));
    this.#at = 0;
  }

  #used(): DataView {
    return new DataView(this.#open.buffer, 0, this.#at);
  }
}

/** Returns where the next token goes. */
function put(words: DataView, start: number, { token, logprob, top }: TokenLogprob): number {
  let at = putPair(words, start, [token, logprob]);
  words.setInt32(at, top.length, true);
  at += WORD;
  for (const pair of top) at = putPair(words, at, pair);
  return at;
}

function putPair(words: DataView, at: number, [token, logprob]: readonly [number, number]): number {
  words.setInt32(at, token, true);
  words.setFloat32(at + WORD, logprob, true);
  return at + PAIR * WORD;
}

function* scoresIn(view: DataView): Generator<TokenLogprob, void, undefined> {
  const words = new Words(view);
  while (!words.atEnd) {
    const token = words.id();
    const logprob = words.logprob();
    const top: (readonly [number, number])[] = [];
    for (let left = words.id(); left > 0; left--) top.push([words.id(), words.logprob()]);
    yield { token, logprob, top };
  }
}

class Words {
  readonly #view: DataView;
  #at = 0;

  constructor(view: DataView) {
    this.#view = view;
  }

  get atEnd(): boolean {
    return this.#at === this.#view.byteLength;
  }

  id(): number {
    const id = this.#view.getInt32(this.#next(), true);
    if (id < 0) throw new RangeError(`Packed log-probabilities have the id ${id}`);
    return id;
  }

  logprob(): number {
    const value = this.#view.getFloat32(this.#next(), true);
    if (Number.isNaN(value)) throw new RangeError("Packed log-probabilities have a value that is no number");
    return value;
  }

  #next(): number {
    const at = this.#at;
    this.#at += WORD;
    return at;
  }
}
