import { Worker } from "node:worker_threads";
import { RhoneError } from "@rhone/common";
import { startComputeTimer } from "./compute-timer.js";
import type { GrammarLimits } from "./grammar-limits.js";
import type { FromThread, PackedVocabulary, ThreadData, ToThread } from "./messages.js";
import { type PositionThread, ThreadPosition } from "./thread-position.js";
import { unlessAborted } from "./unless-aborted.js";

export interface GrammarThreadOptions {
  readonly grammar: string;
  readonly vocabulary: PackedVocabulary;
  readonly limits: GrammarLimits;
  /** Called once, when the thread ends for whatever reason. */
  readonly onEnd: () => void;
}

/** JavaScript's heap holds the pieces once and the library's source; the engine's own memory is WebAssembly's. */
const HEAP_MIB = 256;

/**
 * One grammar in a thread of its own, so that neither compiling it nor its masks hold up anything else. A thread that
 * takes too long or breaks is terminated; whatever waits for it or asks it later throws the same error.
 */
export class GrammarThread implements PositionThread {
  /**
   * Resolves with the bytes of the grammar's shortest text. Rejects with GRAMMAR_TOO_COSTLY, with INVALID_REQUEST when
   * the engine does not accept it, and with the reason of `end`.
   */
  readonly compiled: Promise<number>;
  readonly limits: GrammarLimits;
  readonly #size: number;
  readonly #onEnd: () => void;
  readonly #worker: Worker;
  readonly #ending = new AbortController();
  /** What waits for a message, by its kind and number. */
  readonly #awaited = new Map<string, (message: FromThread) => void>();
  #next = 0;
  #place: string | undefined;

  constructor({ grammar, vocabulary, limits, onEnd }: GrammarThreadOptions) {
    this.limits = limits;
    this.#size = vocabulary.size;
    this.#onEnd = onEnd;
    this.#worker = new Worker(new URL("./grammar-thread-main.js", import.meta.url), {
      workerData: { vocabulary, grammar, memoryBytes: limits.memoryBytes } satisfies ThreadData,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB },
      // Keeps the library's complaints out of this process's output.
      stdout: true,
      stderr: true,
    });
    this.#worker.unref();
    this.#worker.on("message", (message: FromThread) => this.#hear(message));
    this.#worker.on("error", (cause) => {
      this.end(new RhoneError("GRAMMAR_TOO_COSTLY", "The grammar is too costly: its thread broke.", { cause }));
    });
    this.compiled = this.#compile();
    this.compiled.catch(() => {});
  }

  /** Why the thread has ended; undefined while it lives. */
  get ended(): RhoneError | undefined {
    return this.#ending.signal.reason as RhoneError | undefined;
  }

  /** The beginning of a text under the compiled grammar. `onClose` is called when the position is closed. */
  start(shortest: number, onClose: () => void): ThreadPosition {
    return new ThreadPosition(this, { id: this.#next++, size: this.#size, shortest, onClose });
  }

  post(message: ToThread): void {
    this.#worker.postMessage(message);
  }

  /** Resolves once all that was posted is done. Rejects with `ended`, which GRAMMAR_TOO_COSTLY is after `compileMs`. */
  async settle(): Promise<void> {
    const settle = this.#next++;
    const settled = this.#awaits(`settled ${settle}`);
    this.post({ kind: "settle", settle });
    await this.#inTime(settled, "to read the beginning of a text");
  }

  /** Ends the thread. Only the first reason counts. */
  end(reason: RhoneError): void {
    if (this.ended !== undefined) return;
    this.#ending.abort(reason);
    void this.#worker.terminate();
    this.#onEnd();
  }

  async #compile(): Promise<number> {
    const loaded = this.#awaits("loaded");
    const compiled = this.#awaits("compiled");
    const message = await unlessAborted(loaded, this.#ending.signal);
    if (message.kind === "loaded") this.#place = message.place;
    const result = await this.#inTime(compiled, "to prepare");
    return result.kind === "compiled" ? result.shortest : 0;
  }

  #awaits(key: string): Promise<FromThread> {
    return new Promise((resolve) => this.#awaited.set(key, resolve));
  }

  #hear(message: FromThread): void {
    if (message.kind === "refused") {
      this.end(new RhoneError(message.isCostly ? "GRAMMAR_TOO_COSTLY" : "INVALID_REQUEST", message.problem));
      return;
    }
    const key = message.kind === "settled" ? `settled ${message.settle}` : message.kind;
    this.#awaited.get(key)?.(message);
    this.#awaited.delete(key);
  }

  async #inTime<T>(promise: Promise<T>, what: string): Promise<T> {
    const { compileMs } = this.limits;
    const late = new RhoneError(
      "GRAMMAR_TOO_COSTLY",
      `The grammar is too costly: it takes more than ${compileMs} ms ${what}.`,
    );
    const stop = startComputeTimer(this.#place, compileMs, () => this.end(late));
    try {
      return await unlessAborted(promise, this.#ending.signal);
    } finally {
      stop();
    }
  }
}
