import { Worker } from "node:worker_threads";
import { RhoneError } from "../errors/rhone-error.js";
import { type Lateness, startComputeTimer } from "./compute-timer.js";
import type { FromThread, ThreadStart, ToThread } from "./thread-messages.js";

export interface ComputeThreadOptions {
  /** The compiled module that calls `serveThread`. */
  readonly module: URL;
  /** What its `open` gets: copied, except for shared memory. */
  readonly data: unknown;
  /** The error of a thread whose work costs too much, or that breaks or ends; `why`: "it takes more than 500 ms". */
  readonly failure: (why: string, cause?: unknown) => RhoneError;
  /** The error to try again of a thread that others slow down; `why`: "it got 90 ms of processor time in 2000 ms". */
  readonly busy: (why: string) => RhoneError;
}

export interface TimeLimit {
  /** Longest processor time of the thread; at most eight times that by the clock. */
  readonly ms: number;
  /** The work that the time was for, as in "it takes more than 400 ms to prepare": "to prepare". */
  readonly task?: string;
}

interface Asker<Answer> {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: RhoneError) => void;
}

/** A template that doubles a text fails here before it takes the machine's memory, and so does a schema. */
const HEAP = { maxOldGenerationSizeMb: 256 };

/**
 * A thread for what may take long, so that it holds up nothing else. It obeys one message after another. One that takes
 * too long or breaks is terminated; who waits for it or asks it later gets the same error.
 */
export class ComputeThread<Message, Answer> {
  /** Resolves when it runs no more: what it borrowed may be freed. */
  readonly gone: Promise<void>;
  readonly #failure: ComputeThreadOptions["failure"];
  readonly #busy: ComputeThreadOptions["busy"];
  readonly #worker: Worker;
  readonly #ending = new AbortController();
  /** The thread's place, once it is open. */
  readonly #open: Promise<string | undefined>;
  #opener: Asker<string | undefined> = { resolve: () => {}, reject: () => {} };
  /** Those who wait for answers, the first first. */
  #askers: Asker<Answer>[] = [];

  constructor({ module, data, failure, busy }: ComputeThreadOptions) {
    this.#failure = failure;
    this.#busy = busy;
    this.#open = new Promise((resolve, reject) => {
      this.#opener = { resolve, reject };
    });
    this.#open.catch(() => {});
    this.#worker = new Worker(module, {
      workerData: { data } satisfies ThreadStart,
      resourceLimits: HEAP,
      // Keeps the complaints of libraries out of this process's output.
      stdout: true,
      stderr: true,
    });
    this.#worker.unref();
    this.#worker.on("message", (message: FromThread<Answer>) => this.#hear(message));
    this.#worker.on("error", (cause) => this.end(failure(`it broke its thread (${cause.message})`, cause)));
    this.gone = new Promise((resolve) => {
      this.#worker.once("exit", () => {
        this.end(failure("its thread ended"));
        resolve();
      });
    });
  }

  /** Aborts when the thread ends for whatever reason, with that as a RhoneError. */
  get ending(): AbortSignal {
    return this.#ending.signal;
  }

  /** Nobody waits for what becomes of it; a refusal ends the thread. */
  tell(message: Message): void {
    this.#post({ kind: "tell", message });
  }

  /** The thread's answer. Throws its refusal, and the reason for which the thread ended or ends. */
  async ask(message: Message, limit: TimeLimit): Promise<Answer> {
    const place = await this.#open;
    this.ending.throwIfAborted();
    const answer = new Promise<Answer>((resolve, reject) => this.#askers.push({ resolve, reject }));
    this.#post({ kind: "ask", message });
    const stop = startComputeTimer(place, limit.ms, (lateness) => this.end(this.#late(lateness, limit)));
    try {
      return await answer;
    } finally {
      stop();
    }
  }

  /** Lets it end once it has done what it was told. */
  rest(): void {
    this.#post({ kind: "rest" });
  }

  /** Ends it whatever it does. Only the first reason counts. */
  end(reason: RhoneError): void {
    if (this.ending.aborted) return;
    this.#ending.abort(reason);
    this.#opener.reject(reason);
    for (const asker of this.#askers) asker.reject(reason);
    this.#askers = [];
    void this.#worker.terminate();
  }

  #late({ reason, computedMs, passedMs }: Lateness, { ms, task }: TimeLimit): RhoneError {
    if (reason === "busy machine") return this.#busy(`it got ${computedMs} ms of processor time in ${passedMs} ms`);
    return this.#failure(["it takes more than", ms, "ms", task].filter((word) => word !== undefined).join(" "));
  }

  #post(message: ToThread<Message>): void {
    this.#worker.postMessage(message);
  }

  #hear(message: FromThread<Answer>): void {
    if (message.kind === "open") this.#opener.resolve(message.place);
    else if (message.kind === "answered") this.#askers.shift()?.resolve(message.answer);
    else {
      const { code, message: why, param, isOver } = message;
      const refusal = new RhoneError(code, why, param === undefined ? {} : { param });
      if (isOver) this.end(refusal);
      else this.#askers.shift()?.reject(refusal);
    }
  }
}
