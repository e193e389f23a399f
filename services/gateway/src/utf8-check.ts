import { isUtf8 } from "node:buffer";

/** Bytes of the longest character. */
const LONGEST = 4;
const NOTHING = Buffer.alloc(0);

/** Tells whether bytes that arrive in pieces are UTF-8: decoders would make U+FFFD of what is not, and say nothing. */
export class Utf8Check {
  /** The beginning of a character whose other bytes have not come. */
  #begun: Buffer = NOTHING;

  /** Whether all that has come may be UTF-8; pieces may end within a character. */
  push(piece: Buffer): boolean {
    const bytes = this.#begun.length === 0 ? piece : Buffer.concat([this.#begun, piece]);
    const end = endOfCharacters(bytes);
    this.#begun = bytes.subarray(end);
    return isUtf8(bytes.subarray(0, end));
  }

  /** Whether no character is cut off at the end. What is pushed next begins a new text. */
  end(): boolean {
    const isWhole = this.#begun.length === 0;
    this.#begun = NOTHING;
    return isWhole;
  }
}

/** The index behind the last character whose bytes are all there, as far as its first byte says how many it has. */
function endOfCharacters(bytes: Buffer): number {
  for (let at = bytes.length - 1; at >= 0 && at > bytes.length - LONGEST; at--) {
    const byte = bytes[at] ?? 0;
    if (byte < 0x80) break;
    if (byte < 0xc0) continue;
    const length = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : LONGEST;
    return at + length > bytes.length ? at : bytes.length;
  }
  return bytes.length;
}
