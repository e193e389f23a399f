import { setTimeout as sleep } from "node:timers/promises";
import { type Job, type Processor, Worker, type WorkerOptions } from "bullmq";
import type { ReplicaLoads } from "./replica-loads.js";

/** Between two questions whether a job may be taken, unless one ends here; the pause grows. */
const [FIRST_PAUSE_MS, LONGEST_PAUSE_MS] = [2, 100];
/** Before Redis is asked again after an error; while it is away, questions wait for it. */
const RETRY_MS = 1000;

export interface AskingOptions extends WorkerOptions {
  /** Jobs that are taken at a time. */
  readonly concurrency: number;
  readonly loads: ReplicaLoads;
}

/**
 * A worker of BullMQ that asks before it takes a job. BullMQ's own loop takes as many as it can hold, before it begins
 * with the first.
 */
export class AskingWorker extends Worker {
  readonly #concurrency: number;
  readonly #loads: ReplicaLoads;
  readonly #jobs = new Set<Promise<void>>();
  #tokens = 0;

  /** Takes nothing until `run` is called. `process`: as BullMQ's. */
  constructor(name: string, process: Processor, { loads, ...options }: AskingOptions) {
    super(name, process, { ...options, autorun: false });
    this.#concurrency = options.concurrency;
    this.#loads = loads;
  }

  /** Takes jobs until the worker is closed, but for when it is paused. */
  override async run(): Promise<void> {
    this.running = true;
    await this.startStalledCheckTimer();
    this.lockManager.start();
    // `close` ends the wait for a job, then waits for this.
    this.mainLoopRunning = this.#takeJobs();
    await this.mainLoopRunning;
  }

  override async resume(): Promise<void> {
    await super.resume();
    this.#loads.changed.notify();
  }

  override close(force?: boolean): Promise<void> {
    const closed = super.close(force);
    this.#loads.changed.notify();
    return closed;
  }

  async #takeJobs(): Promise<void> {
    let pauseMs = FIRST_PAUSE_MS;
    while (this.closing === undefined) {
      const { version } = this.#loads.changed;
      if (await this.#reserve()) {
        pauseMs = FIRST_PAUSE_MS;
        await this.#takeReserved();
      } else {
        await this.#loads.changed.changedSince(version, { withinMs: pauseMs });
        pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
      }
    }
    await Promise.all(this.#jobs);
  }

  async #reserve(): Promise<boolean> {
    if (this.paused || this.#jobs.size >= this.#concurrency) return false;
    const queue = { waitingKey: this.toKey("prioritized"), markerKey: this.toKey("marker") };
    return this.#loads.reserve(queue).catch((error) => this.#failed(error, false));
  }

  /** Waits for a job, for some seconds at most, and begins it. */
  async #takeReserved(): Promise<void> {
    const token = `${this.id}:${this.#tokens++}`;
    const job: Job | undefined = await this.getNextJob(token).catch((error) => this.#failed(error, undefined));
    if (job === undefined) {
      this.#loads.release();
      return;
    }
    const run: Promise<void> = this.processJob(job, token, () => false)
      .then(() => {})
      .catch((error) => this.#failed(error, undefined))
      .finally(() => {
        this.#jobs.delete(run);
        this.#loads.ended();
      });
    this.#jobs.add(run);
  }

  async #failed<T>(error: Error, instead: T): Promise<T> {
    if (this.closing === undefined) {
      this.emit("error", error);
      await sleep(RETRY_MS);
    }
    return instead;
  }
}
