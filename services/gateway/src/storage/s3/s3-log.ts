import type { LineLog } from "../object-storage.js";

const SEGMENT_BYTES = 1024 * 1024;

type PutSegment = (segment: number, text: string) => Promise<void>;

/**
 * A log for buckets, which cannot append: each `sync`, or each MiB of waiting lines, becomes an object. A segment whose
 * write failed is written again under the next number; if the first write gets through late, its lines occur twice.
 */
export class S3Log implements LineLog {
  readonly #put: PutSegment;
  #waiting: string[] = [];
  #bytes = 0;
  #segment = 0;
  #writing: Promise<void> = Promise.resolve();

  constructor(put: PutSegment) {
    this.#put = put;
  }

  async append(line: string): Promise<void> {
    this.#keep([line]);
    if (this.#bytes >= SEGMENT_BYTES) await this.sync();
  }

  sync(): Promise<void> {
    const flushed = this.#writing.then(() => this.#flush());
    this.#writing = flushed.catch(() => {});
    return flushed;
  }

  close(): Promise<void> {
    return this.sync();
  }

  async #flush(): Promise<void> {
    const lines = this.#waiting;
    if (lines.length === 0) return;
    this.#waiting = [];
    this.#bytes = 0;
    try {
      await this.#put(++this.#segment, lines.map((line) => `${line}\n`).join(""));
    } catch (error) {
      this.#keep(lines);
      throw error;
    }
  }

  #keep(lines: readonly string[]): void {
    this.#waiting.push(...lines);
    this.#bytes += lines.reduce((bytes, line) => bytes + line.length + 1, 0);
  }
}
