import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { Sighting, WatchedCluster } from "./watch.js";

/** A Watch in a thread of its own, so that the sender of an attack does not make it late. */
export class Watcher {
  readonly #thread: Worker;

  constructor(cluster: WatchedCluster) {
    this.#thread = new Worker(new URL("./watch-thread.js", import.meta.url), { workerData: cluster });
  }

  /** What was seen since the last call; one call at a time. */
  async take(): Promise<Sighting> {
    const answered = once(this.#thread, "message");
    this.#thread.postMessage("take");
    const [sighting] = (await answered) as [Sighting];
    return sighting;
  }

  async close(): Promise<void> {
    await this.#thread.terminate();
  }
}
