import { setTimeout as sleep } from "node:timers/promises";
import type { GenerationJob } from "@rhone/common";
import { type Job, type Processor, Worker, type WorkerOptions } from "bullmq";
import type { Lease } from "./lease.js";
import type { ReplicaLoads } from "./replica-loads.js";

/** Before Redis is asked again after an error; while it is away, questions wait for it. */
const RETRY_MS = 1000;
/** The longest wait for BullMQ's word that there is a job. */
const LISTEN_S = 5;

export interface AskingOptions extends WorkerOptions {
  /** Jobs that are taken at a time. */
  readonly concurrency: number;
  readonly lane: GenerationJob["lane"];
  readonly loads: ReplicaLoads;
  readonly lease: Lease;
}

/**
 * A worker of BullMQ that asks whether it may take the next job. BullMQ's own loop takes as many as it can hold, before
 * it begins with the first. It asks when BullMQ says that there is a job, when another coordinator calls it, when a job
 * ends here, and each time that loads are told.
 */
export class AskingWorker extends Worker {
  readonly #options: AskingOptions;
  readonly #jobs = new Set<Promise<void>>();
  #taken = 0;
  #isListening = false;

  /** Takes nothing until `run` is called. `process`: as BullMQ's. */
  constructor(name: string, process: Processor, options: AskingOptions) {
    super(name, process, { ...options, autorun: false });
    this.#options = options;
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

  /** Puts a job back in the queue; false when its lock has another token by now, or none. */
  putBack(requestId: string, token: string): Promise<boolean> {
    return this.backend.moveJobFromActiveToWait(requestId, token).then(
      () => true,
      () => false,
    );
  }

  override close(force?: boolean): Promise<void> {
    const closed = super.close(force);
    this.#loads.changed.notify();
    return closed;
  }

  get #loads(): ReplicaLoads {
    return this.#options.loads;
  }

  async #takeJobs(): Promise<void> {
    while (this.closing === undefined) {
      const { version } = this.#loads.changed;
      if (await this.#mayTake()) await this.#take();
      else {
        this.#listen();
        await this.#loads.changed.changedSince(version);
      }
    }
    await Promise.all(this.#jobs);
  }

  /** Asks also when no more can be held here: for the job that waits, another coordinator may have to be called. */
  async #mayTake(): Promise<boolean> {
    if (this.paused || this.closing !== undefined) return false;
    const { lane } = this.#options;
    const queue = {
      lane,
      prioritizedKey: this.toKey("prioritized"),
      waitKey: this.toKey("wait"),
      jobKey: this.toKey(""),
    };
    return this.#loads.ask(queue).catch((error) => this.#failed(error, false));
  }

  async #take(): Promise<void> {
    const { lane, lease } = this.#options;
    const token = lease.token(this.#taken++);
    const taken = this.getNextJob(token, { block: false });
    const job: Job | undefined = await taken.catch((error) => this.#failed(error, undefined));
    if (job === undefined) {
      this.#loads.release(lane);
      return;
    }
    const run: Promise<void> = this.processJob(job, token, () => false)
      .then(() => {})
      .catch((error) => this.#failed(error, undefined))
      .finally(() => {
        this.#jobs.delete(run);
        this.#loads.ended(lane);
      });
    this.#jobs.add(run);
  }

  /** BullMQ's marker wakes one coordinator for each job. */
  #listen(): void {
    if (this.#isListening || this.paused || this.closing !== undefined) return;
    this.#isListening = true;
    void this.backend
      .waitForJob(LISTEN_S)
      .catch(() => this.#reconnect())
      .finally(() => {
        this.#isListening = false;
        this.#loads.changed.notify();
      });
  }

  async #reconnect(): Promise<void> {
    if (this.closing !== undefined) return;
    await sleep(RETRY_MS, undefined, { ref: false });
    if (this.closing === undefined) await this.backend.reconnectBlocking().catch(() => {});
  }

  async #failed<T>(error: Error, instead: T): Promise<T> {
    if (this.closing === undefined) {
      this.emit("error", error);
      await sleep(RETRY_MS);
    }
    return instead;
  }
}
