import { type ClusterStatus, LANES, type Lane } from "@rhone/common";
import type { ServedModels } from "../models/served-models.js";
import type { ClusterState } from "../queue/cluster-state.js";
import type { ClusterRecords, QueueDepth } from "./cluster-records.js";

/** A model as the cluster has it at one moment. */
export interface ModelView {
  readonly name: string;
  /** That serve it, ready or not. */
  readonly coordinators: readonly ClusterStatus[];
  readonly queues: Readonly<Record<Lane, QueueDepth>>;
}

export interface ClusterViewOptions {
  readonly cluster: ClusterState;
  readonly records: Pick<ClusterRecords, "depths">;
  readonly models: Pick<ServedModels, "namesAmong">;
  /** Milliseconds on a monotonic clock. */
  readonly now?: () => number;
}

/** Looks of many askers share one reading of Redis for this long. */
const FRESH_MS = 250;
/** A look waits this long for Redis, and is content with an older one otherwise. */
const WAIT_MS = 500;
/** An older look says nothing about the cluster any more. */
const OLDEST_MS = 10_000;

/** The models of a cluster with their coordinators and queues, as the metrics show them. */
export class ClusterView {
  readonly #options: ClusterViewOptions;
  readonly #now: () => number;
  #last: { readonly models: readonly ModelView[]; readonly atMs: number } | null = null;
  #reading: Promise<void> | null = null;

  constructor(options: ClusterViewOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Null while Redis does not answer. Never rejects, and takes at most half a second. */
  async look(): Promise<readonly ModelView[] | null> {
    if (this.#last === null || this.#now() - this.#last.atMs >= FRESH_MS) {
      this.#reading ??= this.#read().finally(() => {
        this.#reading = null;
      });
      await withinWait(this.#reading);
    }
    return this.#last !== null && this.#now() - this.#last.atMs < OLDEST_MS ? this.#last.models : null;
  }

  async #read(): Promise<void> {
    const atMs = this.#now();
    try {
      const statuses = await this.#options.cluster.coordinators();
      const names = this.#options.models.namesAmong(statuses);
      const queues = names.flatMap((model) => LANES.map((lane) => ({ model, lane })));
      const depths = await this.#options.records.depths(queues);
      const models = names.map((name, at) => {
        const [interactive = NONE, batch = NONE] = depths.slice(LANES.length * at);
        const coordinators = statuses.filter(({ model }) => model.name === name);
        return { name, coordinators, queues: { interactive, batch } };
      });
      this.#last = { models, atMs };
    } catch {
      // The metrics of the gateway itself are shown all the same.
    }
  }
}

const NONE: QueueDepth = { waiting: 0, taken: 0, oldestMs: 0 };

async function withinWait(reading: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, WAIT_MS);
  });
  await Promise.race([reading, late]).finally(() => clearTimeout(timer));
}
