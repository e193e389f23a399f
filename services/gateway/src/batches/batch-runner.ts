import { randomUUID } from "node:crypto";
import { RhoneError } from "@rhone/common";
import type { Redis } from "ioredis";
import { madeAtMs } from "../files/timed-id.js";
import type { GatewayDeps } from "../gateway-deps.js";
import { BatchLease } from "./batch-lease.js";
import { isOver } from "./batch-record.js";
import { BatchRun } from "./batch-run.js";

const CLEAN_MS = 3600_000;
const LEASE_MS = 9000;
const TICK_MS = 1000;
const PAUSE_MS = 500;
/** A batch that could not be gone on with is left alone for so long. */
const RETRY_MS = 10_000;
/** Longest between a batch's mark and its record. */
const UNBORN_MS = 300_000;

export interface BatchRunnerOptions {
  readonly deps: GatewayDeps;
  /** Borrowed. */
  readonly redis: Redis;
  readonly mostBatches: number;
  readonly linesInFlight: number;
  readonly mostLines: number;
}

/** Finds batches that nobody runs, oldest first, and runs them. */
export class BatchRunner {
  readonly #options: BatchRunnerOptions;
  readonly #owner: string;
  readonly #closing = new AbortController();
  readonly #running = new Map<string, Promise<void>>();
  readonly #notBeforeMs = new Map<string, number>();
  #sweeping: Promise<void> = Promise.resolve();
  /** undefined: it looks just now. */
  #timer: NodeJS.Timeout | undefined;
  #isWoken = false;
  #cleanedAtMs = 0;

  constructor(options: BatchRunnerOptions) {
    this.#options = options;
    this.#owner = `${options.deps.gatewayId}-${randomUUID()}`;
  }

  start(): void {
    this.#options.deps.batches.whenCreated(() => this.#wake());
    this.#look();
  }

  #look(): void {
    this.#timer = undefined;
    this.#isWoken = false;
    this.#sweeping = this.#sweep().catch((err: unknown) => {
      this.#options.deps.logger.warn({ err }, "batches not looked for, trying again");
    });
    void this.#sweeping.then(() => {
      const { sweepMs } = this.#options.deps.batches.pace;
      if (!this.#closing.signal.aborted) this.#timer = setTimeout(() => this.#look(), this.#isWoken ? 0 : sweepMs);
    });
  }

  /** A batch was made here: no need to wait for the next look. */
  #wake(): void {
    this.#isWoken = true;
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#look();
  }

  /** Leaves the batches as they are: another gateway goes on with them, and so does this one when it is started again. */
  async close(): Promise<void> {
    this.#closing.abort(new RhoneError("SHUTTING_DOWN", "The gateway is stopping."));
    clearTimeout(this.#timer);
    await this.#sweeping;
    await Promise.all(this.#running.values());
  }

  async #sweep(): Promise<void> {
    const { batches, files } = this.#options.deps;
    for (const id of await batches.openIds()) {
      if (this.#running.size >= this.#options.mostBatches || this.#closing.signal.aborted) return;
      if (this.#running.has(id) || Date.now() < (this.#notBeforeMs.get(id) ?? 0)) continue;
      await this.#take(id);
    }
    if (Date.now() - this.#cleanedAtMs < CLEAN_MS) return;
    this.#cleanedAtMs = Date.now();
    await files.clean();
  }

  async #take(id: string): Promise<void> {
    const lease = await BatchLease.take(this.#options.redis, { id, owner: this.#owner, leaseMs: LEASE_MS });
    if (lease === null) return;
    const running = this.#run(id, lease).finally(() => {
      this.#running.delete(id);
      this.#options.deps.metrics.batchesRunning.set(this.#running.size);
    });
    this.#running.set(id, running);
    this.#options.deps.metrics.batchesRunning.set(this.#running.size);
  }

  /** A mark without a record is being made just now; or whoever made it died before anybody heard of the batch. */
  async #forgetStillborn(id: string): Promise<void> {
    if (Date.now() - madeAtMs(id) > UNBORN_MS) await this.#options.deps.batches.forgetOpen(id).catch(() => {});
  }

  /** Never rejects. */
  async #run(id: string, lease: BatchLease): Promise<void> {
    const { deps, linesInFlight, mostLines } = this.#options;
    const handover = AbortSignal.any([lease.lost, this.#closing.signal]);
    try {
      const batch = await deps.batches.get(id);
      // It ended, and the mark outlived a crash.
      if (isOver(batch)) await deps.batches.forgetOpen(id);
      else
        await new BatchRun({
          deps,
          batch,
          handover,
          linesInFlight,
          mostLines,
          tickMs: TICK_MS,
          pauseMs: PAUSE_MS,
        }).run();
      this.#notBeforeMs.delete(id);
    } catch (err) {
      const isUnborn = err instanceof RhoneError && err.code === "NOT_FOUND";
      this.#notBeforeMs.set(id, Date.now() + (isUnborn ? 0 : RETRY_MS));
      if (isUnborn) await this.#forgetStillborn(id);
      else if (handover.aborted) deps.logger.info({ batch: id }, "batch left to the next gateway");
      else deps.logger.error({ err, batch: id }, "batch interrupted, trying again");
    }
    await lease.release().catch((err: unknown) => deps.logger.warn({ err, batch: id }, "lease not given back"));
  }
}
