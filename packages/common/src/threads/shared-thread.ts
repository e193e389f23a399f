import { RhoneError } from "../errors/rhone-error.js";
import type { ComputeThread, TimeLimit } from "./compute-thread.js";
import { FairLine, type FairLineOptions } from "./fair-line.js";

export interface SharedThreadOptions<Message, Answer> {
  readonly open: () => ComputeThread<Message, Answer>;
  readonly line: FairLineOptions;
}

/** How long a thread is kept for the next who asks. Then what it took in memory comes back. */
const IDLE_MS = 20_000;

const stopping = () => new RhoneError("SHUTTING_DOWN", "The process is stopping.");

/** A thread that answers one at a time. It is started when somebody asks, and ends when nobody has for a while. */
export class SharedThread<Message, Answer> {
  readonly #open: () => ComputeThread<Message, Answer>;
  readonly #line: FairLine;
  #thread: ComputeThread<Message, Answer> | undefined;
  /** Settled when the last thread has ended. */
  #gone: Promise<void> = Promise.resolve();
  #idle: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor({ open, line }: SharedThreadOptions<Message, Answer>) {
    this.#open = open;
    this.#line = new FairLine(line);
  }

  /** `owner`: those who wait take turns by it. Throws as `ComputeThread.ask` and `FairLine.run`. */
  ask(owner: string, message: Message, limit: TimeLimit): Promise<Answer> {
    return this.#line.run(owner, async () => {
      clearTimeout(this.#idle);
      const thread = await this.#opened();
      try {
        return await thread.ask(message, limit);
      } finally {
        this.#idle = setTimeout(() => this.#rest(), IDLE_MS).unref();
      }
    });
  }

  /** Resolves once no thread is left, and none is started any more: those who wait or ask get SHUTTING_DOWN. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#idle);
    this.#thread?.end(stopping());
    this.#thread = undefined;
    await this.#gone;
  }

  async #opened(): Promise<ComputeThread<Message, Answer>> {
    if (this.#thread !== undefined && !this.#thread.ending.aborted) return this.#thread;
    // One at a time, though a native call may keep the last one for a moment after its end.
    await this.#gone;
    if (this.#isClosed) throw stopping();
    this.#thread = this.#open();
    this.#gone = this.#thread.gone;
    return this.#thread;
  }

  #rest(): void {
    this.#thread?.rest();
    this.#thread = undefined;
  }
}
