import { Worker } from "node:worker_threads";
import { RhoneError } from "@rhone/common";
import type { Encoded, EncoderOptions, Source } from "./encoder.js";
import { CLOSE, type EncodeAnswer, type EncodeRequest } from "./encoder-messages.js";

export interface EncodeLimits {
  /** Longest time for one request's template and tokens, in milliseconds. */
  readonly timeoutMs: number;
  /** Requests that may wait for their turn. */
  readonly mostWaiting: number;
}

/** A template that doubles a text fails here before it takes the machine's memory. */
const HEAP_MIB = 256;
/** A thread that nobody needs is ended after this time: what it took in memory comes back. */
const IDLE_MS = 20_000;

/** Encodes in a thread of its own, one request after another. One that takes too long ends it. */
export class EncoderThread {
  readonly #options: EncoderOptions;
  readonly #limits: EncodeLimits;
  #thread: OpenThread | undefined;
  #line: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #idle: NodeJS.Timeout | undefined;

  constructor(options: EncoderOptions, limits: EncodeLimits) {
    this.#options = options;
    this.#limits = limits;
  }

  /** Throws TEXTS_BUSY, TEXT_TOO_COSTLY and what `encode` throws. */
  encode(source: Source, last?: number): Promise<Encoded> {
    const { mostWaiting } = this.#limits;
    if (this.#waiting > mostWaiting) {
      const message = `${mostWaiting} requests are waiting for their texts to be tokenized; try again.`;
      return Promise.reject(new RhoneError("TEXTS_BUSY", message));
    }
    this.#waiting++;
    const encoded = this.#line.then(() => this.#encode({ source, last }));
    this.#line = encoded.then(
      () => this.#ended(),
      () => this.#ended(),
    );
    return encoded;
  }

  close(): void {
    clearTimeout(this.#idle);
    this.#thread?.end(new RhoneError("SHUTTING_DOWN", "The gateway is shutting down."));
    this.#thread = undefined;
  }

  async #encode(request: EncodeRequest): Promise<Encoded> {
    clearTimeout(this.#idle);
    if (this.#thread === undefined || this.#thread.hasEnded) this.#thread = new OpenThread(this.#options);
    return this.#thread.encode(request, this.#limits.timeoutMs);
  }

  #ended(): void {
    this.#waiting--;
    if (this.#waiting > 0) return;
    this.#idle = setTimeout(() => this.#rest(), IDLE_MS).unref();
  }

  #rest(): void {
    this.#thread?.close();
    this.#thread = undefined;
  }
}

/** One thread, from its start to its end. */
class OpenThread {
  readonly #worker: Worker;
  readonly #ready: Promise<EncodeAnswer>;
  #settle: (answer: EncodeAnswer | RhoneError) => void = () => {};
  #reason: RhoneError | undefined;

  constructor(options: EncoderOptions) {
    this.#worker = new Worker(new URL("./encoder-thread-main.js", import.meta.url), {
      workerData: options,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB },
    });
    this.#worker.unref();
    this.#worker.on("message", (answer: EncodeAnswer) => this.#settle(answer));
    this.#worker.on("error", (cause) => this.end(tooCostly(`it broke the thread that reads it (${cause.message})`)));
    this.#worker.on("exit", () => this.end(tooCostly("its thread ended")));
    this.#ready = this.#next();
    this.#ready.catch(() => {});
  }

  get hasEnded(): boolean {
    return this.#reason !== undefined;
  }

  /** One call at a time. */
  async encode(request: EncodeRequest, timeoutMs: number): Promise<Encoded> {
    await this.#ready;
    const answered = this.#next();
    const timer = setTimeout(() => this.end(tooCostly(`it takes more than ${timeoutMs} ms`)), timeoutMs);
    this.#worker.postMessage(request);
    try {
      return idsOf(await answered);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Lets it end by itself, when it has nothing to do: its vocabulary's memory comes back. */
  close(): void {
    this.#worker.postMessage(CLOSE);
  }

  /** Ends it whatever it does. Its vocabulary's memory stays taken. */
  end(reason: RhoneError): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#settle(reason);
    void this.#worker.terminate();
  }

  #next(): Promise<EncodeAnswer> {
    if (this.#reason !== undefined) return Promise.reject(this.#reason);
    return new Promise((resolve, reject) => {
      this.#settle = (answer) => (answer instanceof RhoneError ? reject(answer) : resolve(answer));
    });
  }
}

function idsOf(answer: EncodeAnswer): Encoded {
  if (answer.kind === "encoded") return answer.ids.map((ids) => [...ids]);
  if (answer.kind === "ready") throw new RangeError("the encoder's thread was ready twice");
  const { code, message, param } = answer;
  throw new RhoneError(code, message, param === undefined ? {} : { param });
}

const tooCostly = (why: string): RhoneError =>
  new RhoneError("TEXT_TOO_COSTLY", `The chat template or the text is too costly: ${why}.`);
