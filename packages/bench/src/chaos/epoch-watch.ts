import { setTimeout as sleep } from "node:timers/promises";
import type { BreakableCluster } from "./local-cluster.js";

const POLL_MS = 1000;

/** The epochs that pipelines open, as their coordinators publish them each second; shorter ones are missed. */
export class EpochWatch {
  readonly #cluster: BreakableCluster;
  readonly #over = new AbortController();
  readonly #done: Promise<void>;
  /** "coordinator epoch". */
  readonly #seen = new Set<string>();
  #last: readonly number[] = [];

  constructor(cluster: BreakableCluster) {
    this.#cluster = cluster;
    this.#done = this.#watch();
  }

  /** How many were seen, and the last one of each pipeline. */
  async stop(): Promise<{ readonly seen: number; readonly last: readonly number[] }> {
    this.#over.abort();
    await this.#done;
    return { seen: this.#seen.size, last: this.#last };
  }

  async #watch(): Promise<void> {
    while (!this.#over.signal.aborted) {
      const statuses = await this.#cluster.status().catch(() => []);
      if (statuses.length > 0) this.#last = statuses.map(({ epoch }) => epoch);
      for (const { coordinator, epoch } of statuses) this.#seen.add(`${coordinator} ${epoch}`);
      await sleep(POLL_MS, undefined, { signal: this.#over.signal }).catch(() => {});
    }
  }
}
