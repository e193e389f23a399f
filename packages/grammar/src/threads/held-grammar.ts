import { RhoneError } from "@rhone/common";
import { GrammarThread, type GrammarThreadOptions } from "./grammar-thread.js";

export interface HeldGrammarOptions extends GrammarThreadOptions {
  /** How long the thread is kept after its last text, for the next that has the same grammar, in milliseconds. */
  readonly keptMs: number;
}

const cancelled = () => new RhoneError("CANCELLED", "Nobody waits for the grammar any more.");

/** A grammar in a thread, and the owners of the texts that use it. */
export class HeldGrammar {
  readonly thread: GrammarThread;
  readonly #keptMs: number;
  /** One for each text. */
  readonly #owners: string[] = [];
  #isCompiled = false;
  /** Ends the thread when nobody has used it for a while. */
  #timer: NodeJS.Timeout | undefined;

  constructor({ keptMs, ...options }: HeldGrammarOptions) {
    this.#keptMs = keptMs;
    this.thread = new GrammarThread(options);
    const onCompiled = (): void => {
      this.#isCompiled = true;
    };
    this.thread.compiled.then(onCompiled, () => this.end());
  }

  get isInUse(): boolean {
    return this.#owners.length > 0;
  }

  isUsedBy(owner: string): boolean {
    return this.#owners.includes(owner);
  }

  use(owner: string): void {
    clearTimeout(this.#timer);
    this.#owners.push(owner);
  }

  /** A text of the owner has ended. */
  release(owner: string): void {
    this.#owners.splice(this.#owners.indexOf(owner), 1);
    if (this.isInUse) return;
    if (this.#isCompiled) this.#timer = setTimeout(() => this.end(), this.#keptMs).unref();
    else this.end();
  }

  /** Ends the thread; whatever waits for it throws CANCELLED. */
  end(): void {
    clearTimeout(this.#timer);
    this.thread.end(cancelled());
  }
}
