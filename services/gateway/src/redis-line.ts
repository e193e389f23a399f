/** Commands that are sent together: a megabyte takes the event loop about 5 ms, and Redis' as long. */
const SLICE_BYTES = 1024 * 1024;
/** A command of up to this many bytes is small. */
const SMALL_BYTES = 16 * 1024;
/** A command takes as long as this many bytes at least: 64 jobs at once were turns of up to 0.4 s. */
const LEAST_BYTES = 64 * 1024;

interface Waiting {
  readonly bytes: number;
  readonly send: () => Promise<void>;
}

/**
 * Sends commands in slices of a megabyte; the next is sent once Redis has answered the last, so that the event loops of
 * both turn between them. Commands up to 16 KiB go before larger ones, of which each slice takes one at least.
 */
export class RedisLine {
  readonly #small: Waiting[] = [];
  readonly #large: Waiting[] = [];
  #isSending = false;

  /** Resolves or rejects as `command` does. `bytes`: of what is sent, or at most of what comes back. */
  send<T>(bytes: number, command: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const line = isSmall(bytes) ? this.#small : this.#large;
      line.push({ bytes: Math.max(bytes, LEAST_BYTES), send: () => command().then(resolve, reject) });
      if (!this.#isSending) void this.#sendAll();
    });
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true;
    while (this.#small.length + this.#large.length > 0) {
      await Promise.all(this.#slice().map(({ send }) => send()));
    }
    this.#isSending = false;
  }

  #slice(): readonly Waiting[] {
    const slice = this.#large.splice(0, 1);
    let bytes = slice[0]?.bytes ?? 0;
    for (const line of [this.#small, this.#large]) {
      const end = line.findIndex((command) => {
        bytes += command.bytes;
        return bytes > SLICE_BYTES;
      });
      slice.push(...line.splice(0, end === -1 ? line.length : end));
    }
    return slice;
  }
}

/** Whether a command is like most: a job with a prompt of 2,000 tokens and a short list of stop texts. */
export const isSmall = (bytes: number): boolean => bytes <= SMALL_BYTES;
