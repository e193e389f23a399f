import { setTimeout as sleep } from "node:timers/promises";
import type { Condition, Lane } from "@rhone/common";
import { type Processor, raw2NextJobData, Worker, type WorkerOptions } from "bullmq";
import type { Redis } from "ioredis";
import { isRefused } from "./insist.js";
import type { Lease } from "./lease.js";
import type { ReplicaLoads, Taken } from "./replica-loads.js";

/** Before Redis is asked again after an error; while it is away, questions wait for it. */
const RETRY_MS = 1000;
/** The longest wait for BullMQ's word that there is a job. */
const LISTEN_S = 5;

export interface AskingOptions extends WorkerOptions {
  /** Borrowed; jobs are asked for on it. */
  readonly redis: Redis;
  readonly lockDuration: number;
  readonly lane: Lane;
  readonly loads: ReplicaLoads;
  readonly lease: Lease;
}

/**
 * A worker of BullMQ that takes all jobs that it should have by one script (hand-out.ts). BullMQ's own loop takes one
 * after another, as many as it can hold. This one asks when BullMQ says that there is a job, when another coordinator
 * calls it, when a job ends here, and each time that loads are told.
 */
export class AskingWorker extends Worker {
  readonly #options: AskingOptions;
  readonly #jobs = new Set<Promise<void>>();
  #taken = 0;
  #isListening = false;
  /** How often the connection broke on which jobs are asked for. */
  #breaks = 0;
  readonly #countBreak = (): void => {
    this.#breaks++;
  };

  /** Takes nothing until `run` is called. `process`: as BullMQ's. */
  constructor(name: string, process: Processor, options: AskingOptions) {
    super(name, process, { ...options, autorun: false });
    this.#options = options;
    options.redis.on("close", this.#countBreak);
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
    this.#changed.notify();
  }

  /** Puts a job back in the queue; false when its lock has another token by now, or none. */
  putBack(requestId: string, token: string): Promise<boolean> {
    return this.backend.moveJobFromActiveToWait(requestId, token).then(
      () => true,
      (error) => {
        if (isRefused(error)) throw error;
        return false;
      },
    );
  }

  override close(force?: boolean): Promise<void> {
    this.#options.redis.off("close", this.#countBreak);
    const closed = super.close(force);
    this.#changed.notify();
    return closed;
  }

  get #changed(): Condition {
    return this.#options.loads.changed[this.#options.lane];
  }

  async #takeJobs(): Promise<void> {
    while (this.closing === undefined) {
      const { version } = this.#changed;
      const taken = await this.#take();
      if (taken > 0) continue;
      this.#listen();
      await this.#changed.changedSince(version);
    }
    await Promise.all(this.#jobs);
  }

  /** Asks also when no more can be held here: for jobs that wait, other coordinators may have to be called. */
  async #take(): Promise<number> {
    if (this.paused || this.closing !== undefined) return 0;
    const { lane, lease, lockDuration } = this.#options;
    const token = lease.token(this.#taken++);
    const breaks = this.#breaks;
    const asked = this.#options.loads.take({ lane, toKey: this.toKey, token, lockMs: lockDuration });
    const taken = await asked.catch((error) => this.#failed(error, []));
    for (const job of taken) this.#begin(job, token);
    if (this.#breaks !== breaks) await this.#putBackUnheard(token, new Set(taken.map(({ id }) => id)));
    return taken.length;
  }

  /** An answer that was lost with its connection has handed out jobs that nobody knows of. */
  async #putBackUnheard(token: string, heard: ReadonlySet<string>): Promise<void> {
    const { redis } = this.#options;
    const ids = (await redis.lrange(this.toKey("active"), 0, -1)).filter((id) => !heard.has(id));
    if (ids.length === 0) return;
    const locks = await redis.mget(ids.map((id) => `${this.toKey(id)}:lock`));
    await Promise.all(ids.map((id, at) => locks[at] === token && this.putBack(id, token)));
  }

  #begin(taken: Taken, token: string): void {
    const { lane } = this.#options;
    const run: Promise<void> = this.#process(taken, token)
      .catch((error) => this.#failed(error, undefined))
      .finally(() => {
        this.#jobs.delete(run);
        this.#options.loads.ended(lane, taken.id);
      });
    this.#jobs.add(run);
  }

  async #process({ id, fields }: Taken, token: string): Promise<void> {
    const [json] = raw2NextJobData([fields, id]);
    const job = this.createJob(json, id);
    job.token = token;
    await this.processJob(job, token, () => false);
  }

  /** BullMQ's marker wakes one coordinator, which calls the others. */
  #listen(): void {
    if (this.#isListening || this.paused || this.closing !== undefined) return;
    this.#isListening = true;
    void this.backend
      .waitForJob(LISTEN_S)
      .catch(() => this.#reconnect())
      .finally(() => {
        this.#isListening = false;
        this.#changed.notify();
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
