import { setTimeout as sleep } from "node:timers/promises";
import type { Prompts } from "./prompts.js";
import { runStreams } from "./run-streams.js";
import type { Connection, StreamRecord } from "./token-stream.js";

export interface RepeatedStreamsOptions {
  readonly connection: Connection;
  readonly prompts: Prompts;
  /** Number of clients. */
  readonly streams: number;
  readonly promptTokens: number;
  readonly maxTokens: number;
  /** Mean pause of a client between an answer and its next request, as for reading. */
  readonly pauseMs: number;
}

/** Clients that ask, read the answer and ask again until they are stopped. */
export class RepeatedStreams {
  readonly #options: RepeatedStreamsOptions;
  readonly #records: StreamRecord[] = [];
  readonly #running: Promise<unknown>;
  #isStopped = false;

  constructor(options: RepeatedStreamsOptions) {
    this.#options = options;
    this.#running = Promise.all(Array.from({ length: options.streams }, () => this.#repeat()));
    this.#running.catch(() => {}); // `stop` rejects with it
  }

  /** Waits for the streams under way and returns all. Rejects with the first failure of any. */
  async stop(): Promise<readonly StreamRecord[]> {
    this.#isStopped = true;
    await this.#running;
    return this.#records;
  }

  async #repeat(): Promise<void> {
    const { connection, prompts, promptTokens, maxTokens, pauseMs } = this.#options;
    while (!this.#isStopped) {
      const load = { ...connection, prompts: [prompts.prompt(promptTokens)], maxTokens, cache: false };
      this.#records.push(...(await runStreams(load)));
      await sleep(2 * Math.random() * pauseMs, undefined, { signal: connection.signal });
    }
  }
}
