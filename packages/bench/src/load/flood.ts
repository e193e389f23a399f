import { request } from "node:http";
import { authorization } from "@rhone/client";
import { RhoneError } from "@rhone/common";
import type { Connection } from "./token-stream.js";

export interface FloodOptions extends Connection {
  /** One stream each, repeated until `stop`. */
  readonly prompts: readonly (readonly number[])[];
  readonly maxTokens: number;
}

/** Totals so far. */
export interface FloodCount {
  /** Of finished answers. */
  readonly tokens: number;
  readonly requests: number;
  /** Server-sent events with text. */
  readonly chunks: number;
}

const CHUNK = Buffer.from("data: {");
const COMPLETION_TOKENS = /"completion_tokens":(\d+)/;
/** Holds the end of a stream, usage included. */
const TAIL_BYTES = 2048;

/**
 * Streams that restart as soon as they end. They are read with as little work as possible: chunks are counted, and only
 * the end of an answer is parsed. The first failure ends all of them.
 */
export class Flood {
  /** Resolves after `stop`. Rejects with MEASUREMENT_VOID when an answer does not have exactly `maxTokens` tokens. */
  readonly done: Promise<void>;
  readonly #options: FloodOptions;
  readonly #over = new AbortController();
  #tokens = 0;
  #requests = 0;
  #chunks = 0;

  constructor(options: FloodOptions) {
    this.#options = options;
    this.done = Promise.all(options.prompts.map((prompt) => this.#repeat(prompt))).then(() => {});
    this.done.catch(() => this.stop());
  }

  get count(): FloodCount {
    return { tokens: this.#tokens, requests: this.#requests, chunks: this.#chunks };
  }

  /** Hangs up. */
  stop(): void {
    this.#over.abort();
  }

  async #repeat(prompt: readonly number[]): Promise<void> {
    const { model, maxTokens } = this.#options;
    const body = { model, prompt, max_tokens: maxTokens, temperature: 0, ignore_eos: true, stream: true };
    const text = JSON.stringify(body);
    while (!this.#over.signal.aborted) {
      const end = await this.#ask(text).catch((error: unknown) => {
        if (this.#over.signal.aborted) return null;
        throw error;
      });
      if (end === null) return;
      const tokens = Number(COMPLETION_TOKENS.exec(end)?.[1]);
      if (tokens !== maxTokens || !end.endsWith("data: [DONE]\n\n")) {
        throw new RhoneError("MEASUREMENT_VOID", `A stream of ${maxTokens} tokens ended with: ${end.slice(-500)}`);
      }
      this.#tokens += tokens;
      this.#requests++;
    }
  }

  /** Resolves with the last bytes of the answer. */
  #ask(body: string): Promise<string> {
    const { agent, url, apiKey } = this.#options;
    const signal = AbortSignal.any([this.#over.signal, this.#options.signal]);
    const length = Buffer.byteLength(body);
    const headers = { "content-type": "application/json", "content-length": length, ...authorization(apiKey) };
    return new Promise((resolve, reject) => {
      const asked = request(`${url}/v1/completions`, { method: "POST", agent, headers, signal }, (response) => {
        let tail: Buffer = Buffer.alloc(0);
        response.on("data", (bytes: Buffer) => {
          this.#chunks += chunksIn(bytes);
          tail = bytes.length >= TAIL_BYTES ? bytes : Buffer.concat([tail.subarray(-TAIL_BYTES), bytes]);
        });
        response.once("end", () => resolve(tail.toString("utf8")));
        response.once("error", reject);
      });
      asked.once("error", reject);
      asked.end(body);
    });
  }
}

function chunksIn(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(CHUNK); at >= 0; at = bytes.indexOf(CHUNK, at + CHUNK.length)) count++;
  return count;
}
