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
  const words = new DataView(new ArrayBuffer(WORD * list.reduce((sum, { top }) => sum + HEAD + PAIR * top.length, 0)));
  let at = 0;
  const put = (token: number, logprob: number): void => {
    words.setInt32(at, token, true);
    words.setFloat32(at + WORD, logprob, true);
    at += PAIR * WORD;
  };
  for (const { token, logprob, top } of list) {
    put(token, logprob);
    words.setInt32(at, top.length, true);
    at += WORD;
    for (const [id, value] of top) put(id, value);
  }
  return Buffer.from(words.buffer).toString("base64");
}

/** Throws when `packed` is not by `packLogprobs`. */
export function unpackLogprobs(packed: string): readonly TokenLogprob[] {
  const words = new Words(packed);
  const list: TokenLogprob[] = [];
  while (!words.atEnd) {
    const token = words.id();
    const logprob = words.logprob();
    const top: (readonly [number, number])[] = [];
    for (let left = words.id(); left > 0; left--) top.push([words.id(), words.logprob()]);
    list.push({ token, logprob, top });
  }
  return list;
}

class Words {
  readonly #view: DataView;
  #at = 0;

  constructor(packed: string) {
    const bytes = Buffer.from(packed, "base64");
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
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
