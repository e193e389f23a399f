import { type Job, type Processor, Worker, type WorkerOptions } from "bullmq";
import type { ReplicaLoads } from "./replica-loads.js";

/** Between two questions whether a job may be taken, unless one ends; the pause grows. */
const [FIRST_PAUSE_MS, LONGEST_PAUSE_MS] = [10, 100];

/** A worker of BullMQ that takes a job only when its coordinator's load allows it. */
export class AskingWorker extends Worker {
  readonly #loads: ReplicaLoads;

  constructor(name: string, process: Processor, { loads, ...options }: WorkerOptions & { readonly loads: ReplicaLoads }) {
    super(name, process, options);
    this.#loads = loads;
  }

  /** As BullMQ's own, undefined where there is no job, and where none may be taken before the worker is paused. */
  protected override async moveToActive(token: string, name?: string): Promise<Job> {
    const queue = { waitingKey: this.toKey("prioritized"), markerKey: this.toKey("marker") };
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      const { version } = this.#loads.ended;
      if (this.paused || this.closing !== undefined) return undefined as unknown as Job;
      if (await this.#loads.mayTake(queue)) return super.moveToActive(token, name);
      await this.#loads.ended.changedSince(version, { withinMs: pauseMs });
    }
  }

  /** The next job is never fetched with the end of another, unasked. */
  override processJob(job: Job, token: string): Promise<void | Job> {
    return super.processJob(job, token, () => false);
  }
}
