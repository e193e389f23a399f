/** Jobs that are written together: a megabyte of JSON takes the event loop about 5 ms, and Redis' as long. */
const SLICE_BYTES = 1024 * 1024;
/** A small job takes as long as this many bytes, whatever it has. */
const LEAST_BYTES = 16 * 1024;

interface WaitingJob {
  readonly bytes: number;
  readonly write: () => Promise<void>;
}

/**
 * Writes jobs in slices of a megabyte; the next is written once Redis has taken the last, so that the event loops of
 * both turn between them. Jobs up to 16 KiB go before larger ones, of which each slice takes one at least.
 */
export class JobLine {
  readonly #small: WaitingJob[] = [];
  readonly #large: WaitingJob[] = [];
  #isWriting = false;

  /** Resolves or rejects as `write` does. */
  add(bytes: number, write: () => Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      const line = isSmall(bytes) ? this.#small : this.#large;
      line.push({ bytes: Math.max(bytes, LEAST_BYTES), write: () => write().then(resolve, reject) });
      if (!this.#isWriting) void this.#writeAll();
    });
  }

  async #writeAll(): Promise<void> {
    this.#isWriting = true;
    while (this.#small.length + this.#large.length > 0) {
      await Promise.all(this.#slice().map(({ write }) => write()));
    }
    this.#isWriting = false;
  }

  #slice(): readonly WaitingJob[] {
    const slice = this.#large.splice(0, 1);
    let bytes = slice[0]?.bytes ?? 0;
    for (const line of [this.#small, this.#large]) {
      const end = line.findIndex((job) => {
        bytes += job.bytes;
        return bytes > SLICE_BYTES;
      });
      slice.push(...line.splice(0, end === -1 ? line.length : end));
    }
    return slice;
  }
}

/** Whether a job is like most: a prompt of 2,000 tokens and a short list of stop texts. */
export const isSmall = (bytes: number): boolean => bytes <= LEAST_BYTES;
