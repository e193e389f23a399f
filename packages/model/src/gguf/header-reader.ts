import { readSync } from "node:fs";
import { RhoneError } from "@rhone/common/rhone-error";

const WINDOW_BYTES = 1 << 20;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * A forward cursor over the beginning of a file, read through a window of 1 MiB. Allocates nothing larger than the rest
 * of the file. Reads are synchronous: a header is a few MB, read once at start. The file descriptor is borrowed. Throws
 * GGUF_TRUNCATED at the end of the file, GGUF_MALFORMED for bad values.
 */
export class HeaderReader {
  readonly path: string;
  readonly fileBytes: number;
  readonly #fd: number;
  #window: Buffer = Buffer.alloc(0);
  #windowStart = 0;
  #offset = 0;

  constructor(source: { readonly path: string; readonly fd: number; readonly fileBytes: number }) {
    this.path = source.path;
    this.#fd = source.fd;
    this.fileBytes = source.fileBytes;
  }

  /** Absolute position of the next byte. */
  get offset(): number {
    return this.#offset;
  }

  get remaining(): number {
    return this.fileBytes - this.#offset;
  }

  /** A GGUF_MALFORMED error that names the file and the byte `at`, the reader's position by default. */
  malformed(problem: string, at = this.#offset): RhoneError {
    return new RhoneError("GGUF_MALFORMED", `${this.path}: byte ${at}: ${problem}.`);
  }

  u32(what: string): number {
    const at = this.#take(4, what);
    return this.#window.readUInt32LE(at);
  }

  u64(what: string): bigint {
    const at = this.#take(8, what);
    return this.#window.readBigUInt64LE(at);
  }

  /**
   * A 64-bit count of entries of at least `leastBytes` bytes each, refused when the rest of the file cannot hold them.
   */
  count(what: string, leastBytes: number): number {
    const start = this.#offset;
    const value = this.u64(what);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw this.malformed(`${what} is ${value}, which no file can hold; the header is damaged`, start);
    }
    const count = Number(value);
    if (count * leastBytes > this.remaining) {
      throw new RhoneError(
        "GGUF_TRUNCATED",
        `${this.path}: byte ${start}: ${what} is ${count}, which needs at least ${count * leastBytes} bytes, but the ` +
          `file ends ${this.remaining} bytes later; fetch the file again.`,
      );
    }
    return count;
  }

  string(what: string): string {
    const length = this.count(`the length of ${what}`, 1);
    const start = this.#offset;
    const bytes = this.bytes(length, what);
    try {
      return utf8.decode(bytes);
    } catch {
      throw this.malformed(`${what} is not valid UTF-8`, start);
    }
  }

  /** A copy of the next `length` bytes, in a buffer of its own. */
  bytes(length: number, what: string): Uint8Array<ArrayBuffer> {
    this.#need(length, what);
    const copy = new Uint8Array(length);
    if (length <= WINDOW_BYTES) {
      const at = this.#take(length, what);
      copy.set(this.#window.subarray(at, at + length));
    } else {
      this.#readFully(copy, this.#offset);
      this.#offset += length;
    }
    return copy;
  }

  /** Moves past `length` bytes, which are in the window afterwards; returns their position in the window. */
  #take(length: number, what: string): number {
    this.#need(length, what);
    const at = this.#offset - this.#windowStart;
    if (at >= 0 && at + length <= this.#window.length) {
      this.#offset += length;
      return at;
    }
    const window = Buffer.allocUnsafe(Math.min(WINDOW_BYTES, this.remaining));
    this.#readFully(window, this.#offset);
    this.#window = window;
    this.#windowStart = this.#offset;
    this.#offset += length;
    return 0;
  }

  #need(length: number, what: string): void {
    if (length <= this.remaining) return;
    throw new RhoneError(
      "GGUF_TRUNCATED",
      `${this.path}: the file ends at byte ${this.fileBytes}, inside ${what}, which starts at byte ${this.#offset} and ` +
        `takes ${length} bytes; fetch the file again.`,
    );
  }

  #readFully(into: Uint8Array, position: number): void {
    let done = 0;
    while (done < into.length) {
      const got = readSync(this.#fd, into, done, into.length - done, position + done);
      if (got === 0) {
        throw new RhoneError(
          "GGUF_TRUNCATED",
          `${this.path}: the file shrank to ${position + done} bytes while it was read.`,
        );
      }
      done += got;
    }
  }
}
