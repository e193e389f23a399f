import { setTimeout as sleep } from "node:timers/promises";
import type { BenchTarget } from "../bench-target.js";
import type { Prompts } from "./random-prompts.js";
import type { StreamRecord } from "./token-stream.js";

export interface RepeatedStreamsOptions {
  readonly target: BenchTarget;
  readonly prompts: Prompts;
  /** At a time. */
  readonly streams: number;
  readonly promptTokens: number;
  readonly maxTokens: number;
  /** Between the end of one and the next, as people read: so long on average. */
  readonly pauseMs: number;
}

/** A few people who ask, read the answer, and ask again until they are stopped. */
export class RepeatedStreams {
  readonly #options: RepeatedStreamsOptions;
  readonly #records: StreamRecord[] = [];
  readonly #running: Promise<unknown>;
  #isStopped = false;

  constructor(options: RepeatedStreamsOptions) {
    this.#options = options;
    this.#running = Promise.all(Array.from({ length: options.streams }, () => this.#repeat()));
    this.#running.catch(() => {}); // whoever stops it hears of it
  }

  /** Lets those that run end. Rejects with the first failure of any. */
  async stop(): Promise<readonly StreamRecord[]> {
    this.#isStopped = true;
    await this.#running;
    return this.#records;
  }

  async #repeat(): Promise<void> {
    const { target, prompts, promptTokens, maxTokens, pauseMs } = this.#options;
    while (!this.#isStopped) {
      this.#records.push(...(await target.run({ prompts: [prompts.prompt(promptTokens)], maxTokens, cache: false })));
      await sleep(2 * Math.random() * pauseMs, undefined, { signal: target.connection.signal });
    }
  }
}
