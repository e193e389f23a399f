import { ComputeThread, RhoneError, SharedThread } from "@rhone/common";

/** Bytes of a file. */
export interface Extent {
  readonly path: string;
  readonly offset: number;
  readonly bytes: number;
}

/** Longest processor time for one tensor: 1 GB of f16 embeddings takes 2 to 10 s. */
const LIMIT_MS = 120_000;

/** Hashes parts of files in a thread of its own, one at a time. The thread ends when nobody has asked for a while. */
export class HashThread {
  readonly #thread: SharedThread<Extent, string>;

  constructor() {
    const failure = (why: string, cause?: unknown) =>
      new RhoneError("INTERNAL", `Weights could not be hashed: ${why}.`, { cause });
    const busy = (why: string) =>
      new RhoneError("DEADLINE_EXCEEDED", `The machine is too busy to hash weights: ${why}; try again.`);
    const module = new URL("./hash-thread-main.js", import.meta.url);
    this.#thread = new SharedThread({
      open: () => new ComputeThread({ module, data: null, failure, busy }),
      line: {},
    });
  }

  /**
   * SHA-256, hex. `owner`: those who wait take turns by it. Throws MODEL_NOT_FOUND, GGUF_TRUNCATED, and SHUTTING_DOWN
   * after `close`.
   */
  hash(owner: string, { path, offset, bytes }: Extent): Promise<string> {
    return this.#thread.ask(owner, { path, offset, bytes }, { ms: LIMIT_MS });
  }

  close(): Promise<void> {
    return this.#thread.close();
  }
}
