import type { LocalCluster } from "../chaos/local-cluster.js";
import { median } from "../figures/percentiles.js";
import { usageOf } from "./process-usage.js";

const LOOK_MS = 5000;

/** Looks at the resident memory of a cluster's processes often: it goes up and down with each collection of garbage. */
export class MemoryWatch {
  readonly #cluster: LocalCluster;
  readonly #timer: NodeJS.Timeout;
  /** By process id. */
  #seen = new Map<number, number[]>();

  constructor(cluster: LocalCluster) {
    this.#cluster = cluster;
    this.#timer = setInterval(() => void this.#look().catch(() => {}), LOOK_MS);
  }

  /** The medians since the last call, by process id. */
  take(): ReadonlyMap<number, number> {
    const medians = new Map([...this.#seen].map(([pid, bytes]) => [pid, median(bytes)]));
    this.#seen = new Map();
    return medians;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    for (const { pid } of await this.#cluster.processes()) {
      const usage = usageOf(pid);
      if (usage !== null) this.#seen.set(pid, [...(this.#seen.get(pid) ?? []), usage.residentBytes]);
    }
  }
}
