import { ComputeThread, RhoneError } from "@rhone/common";
import type { GrammarLimits } from "./grammar-limits.js";
import type { PackedVocabulary, ThreadData, ToThread } from "./messages.js";
import { type PositionThread, ThreadPosition } from "./thread-position.js";

export interface GrammarThreadOptions {
  readonly grammar: string;
  readonly vocabulary: PackedVocabulary;
  readonly limits: GrammarLimits;
  /** Called once, when the thread ends for whatever reason. */
  readonly onEnd: () => void;
}

/** One grammar in a thread of its own, so that neither compiling it nor its masks hold up anything else. */
export class GrammarThread implements PositionThread {
  /**
   * Resolves once the grammar can be used. Rejects with GRAMMAR_TOO_COSTLY; GRAMMARS_BUSY when others
   * keep the thread from computing; INVALID_REQUEST when the engine does not accept it; and the reason of `end`.
   */
  readonly compiled: Promise<void>;
  readonly limits: GrammarLimits;
  readonly #size: number;
  readonly #thread: ComputeThread<ToThread, void>;
  #next = 0;

  constructor({ grammar, vocabulary, limits, onEnd }: GrammarThreadOptions) {
    this.limits = limits;
    this.#size = vocabulary.size;
    this.#thread = new ComputeThread({
      module: new URL("./grammar-thread-main.js", import.meta.url),
      data: { vocabulary, grammar, memoryBytes: limits.memoryBytes } satisfies ThreadData,
      failure: (why, cause) => new RhoneError("GRAMMAR_TOO_COSTLY", `The grammar is too costly: ${why}.`, { cause }),
      busy: (why) => new RhoneError("GRAMMARS_BUSY", `The machine is too busy for the grammar: ${why}; try again.`),
    });
    this.#thread.ending.addEventListener("abort", onEnd);
    this.compiled = this.#thread.ask({ kind: "compile" }, { ms: limits.compileMs, task: "to prepare" });
    this.compiled.catch(() => {});
  }

  /** Why the thread has ended; undefined while it lives. */
  get ended(): RhoneError | undefined {
    return this.#thread.ending.reason;
  }

  /** The beginning of a text under the compiled grammar. `onClose` is called when the position is closed. */
  start(onClose: () => void): ThreadPosition {
    return new ThreadPosition(this, { id: this.#next++, size: this.#size, onClose });
  }

  tell(message: ToThread): void {
    this.#thread.tell(message);
  }

  /** Resolves once all that was told is done. Rejects with `ended`, as `compiled` does after `compileMs`. */
  async settle(): Promise<void> {
    await this.#thread.ask({ kind: "settle" }, { ms: this.limits.compileMs, task: "to read the beginning of a text" });
  }

  /** Ends the thread; whatever waits for it or asks it later throws `reason`. Only the first reason counts. */
  end(reason: RhoneError): void {
    this.#thread.end(reason);
  }
}
