import { Worker } from "node:worker_threads";
import { RhoneError } from "@rhone/common";
import { startComputeTimer } from "../threads/compute-timer.js";
import type { PackedVocabulary } from "../threads/messages.js";
import { unlessAborted } from "../threads/unless-aborted.js";
import type { BuildAnswer, BuilderData, BuildRequest } from "./build-messages.js";

export interface BuildLimits {
  /** Longest processor time for writing a grammar, compiling it and trying it out, in milliseconds. */
  readonly timeoutMs: number;
  /** Most bytes of the engine's memory, for the vocabulary and the grammar. */
  readonly memoryBytes: number;
}

/** A schema's grammar is written in JavaScript's heap, which also has the pieces once. */
const HEAP_MIB = 256;

/** A thread that builds grammars, one at a time. It ends when one exceeds a limit or breaks the engine. */
export class BuilderThread {
  readonly #limits: BuildLimits;
  readonly #worker: Worker;
  readonly #ending = new AbortController();
  readonly #loaded: Promise<BuildAnswer>;
  #answer: (answer: BuildAnswer) => void = () => {};

  constructor(vocabulary: PackedVocabulary, limits: BuildLimits) {
    this.#limits = limits;
    this.#worker = new Worker(new URL("./builder-thread-main.js", import.meta.url), {
      workerData: { vocabulary, memoryBytes: limits.memoryBytes } satisfies BuilderData,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB },
      // Keeps the library's complaints out of this process's output.
      stdout: true,
      stderr: true,
    });
    this.#worker.unref();
    this.#loaded = this.#next();
    this.#worker.on("message", (answer: BuildAnswer) => this.#answer(answer));
    this.#worker.on("error", (cause) => this.#end(tooCostly("it broke the thread that prepares it", cause)));
    this.#worker.on("exit", () => this.#end(tooCostly("its thread ended")));
  }

  get hasEnded(): boolean {
    return this.#ending.signal.aborted;
  }

  /** The grammar's EBNF. Throws INVALID_REQUEST and GRAMMAR_TOO_COSTLY, with the field. One call at a time. */
  async build(request: BuildRequest): Promise<string> {
    const loaded = await unlessAborted(this.#loaded, this.#ending.signal);
    const place = loaded.kind === "loaded" ? loaded.place : undefined;
    const answer = this.#next();
    this.#worker.postMessage(request);
    const built = await this.#inTime(answer, { place, param: request.source.param });
    if (built.kind === "built") return built.grammar;
    if (built.kind === "loaded") throw new RangeError("the builder's thread was loaded twice");
    const { code, message, param, isBroken } = built;
    const refusal = new RhoneError(code, message, param === undefined ? {} : { param });
    if (isBroken) this.#end(refusal);
    throw refusal;
  }

  end(): void {
    this.#end(new RhoneError("SHUTTING_DOWN", "The process is stopping."));
  }

  async #inTime(
    answer: Promise<BuildAnswer>,
    { place, param }: { readonly place: string | undefined; readonly param: string },
  ): Promise<BuildAnswer> {
    const { timeoutMs } = this.#limits;
    const late = tooCostly(`it takes more than ${timeoutMs} ms to prepare`);
    const stop = startComputeTimer(place, timeoutMs, () => this.#end(late));
    try {
      return await unlessAborted(answer, this.#ending.signal);
    } catch (error) {
      throw error instanceof RhoneError ? new RhoneError(error.code, error.message, { cause: error, param }) : error;
    } finally {
      stop();
    }
  }

  #next(): Promise<BuildAnswer> {
    return new Promise((resolve) => {
      this.#answer = resolve;
    });
  }

  #end(reason: RhoneError): void {
    if (this.hasEnded) return;
    this.#ending.abort(reason);
    void this.#worker.terminate();
  }
}

const tooCostly = (why: string, cause?: unknown): RhoneError =>
  new RhoneError("GRAMMAR_TOO_COSTLY", `is too costly: ${why}`, { cause });
