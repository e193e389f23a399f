import { randomUUID } from "node:crypto";
import { type ErrorCode, RhoneError } from "@rhone/common";
import { madeAtMs } from "../storage/object-storage.js";
import { Sweeper } from "../sweeper.js";
import type { BatchLease, Lease } from "./batch-lease.js";
import { isOver } from "./batch-record.js";
import { BatchRun, type BatchUse } from "./batch-run.js";
import type { InputSize } from "./input-size.js";
import { OwnerTurns, type WaitingBatch } from "./owner-turns.js";

const CLEAN_MS = 3600_000;
const LEASE_MS = 9000;
const TICK_MS = 1000;
const PAUSE_MS = 500;
/** Back-off before a failed batch is tried again. */
const RETRY_MS = 10_000;
/** The batch gives its place to others until its model is back. */
const MODEL_AWAY: ReadonlySet<ErrorCode> = new Set(["NO_PIPELINE", "MODEL_NOT_FOUND", "SHUTTING_DOWN"]);
/** A mark older than this without a record belongs to no batch. */
const UNBORN_MS = 300_000;

export interface BatchRunnerOptions {
  readonly uses: BatchUse;
  /** Takes the lease of a batch; null: another gateway has it. Rejects when Redis can't be reached. */
  readonly takeLease: (lease: Lease) => Promise<Pick<BatchLease, "lost" | "release"> | null>;
  readonly mostBatches: number;
  readonly linesInFlight: number;
  readonly input: InputSize;
}

interface KnownBatch extends WaitingBatch {
  /** Unix seconds. */
  readonly expiresAt: number;
}

/** Finds batches that no gateway runs, and runs them: keys take turns, each with its oldest. */
export class BatchRunner {
  readonly #options: BatchRunnerOptions;
  readonly #owner: string;
  readonly #sweeper: Sweeper;
  readonly #running = new Map<string, Promise<void>>();
  readonly #notBeforeMs = new Map<string, number>();
  /** The batches that are not over. */
  readonly #known = new Map<string, KnownBatch>();
  readonly #turns = new OwnerTurns();
  #cleanedAtMs = 0;

  constructor(options: BatchRunnerOptions) {
    this.#options = options;
    const { gatewayId, batches, logger } = options.uses;
    this.#owner = `${gatewayId}-${randomUUID()}`;
    this.#sweeper = new Sweeper({
      look: () => this.#sweep(),
      pauseMs: () => batches.pace.sweepMs,
      failed: (err) => logger.warn({ err }, "search for batches failed, trying again"),
    });
  }

  start(): void {
    this.#options.uses.batches.whenRunnable(() => this.#sweeper.wake());
    this.#sweeper.start();
  }

  /** Leaves the batches to another gateway, or to this one when it starts again. */
  async close(): Promise<void> {
    await this.#sweeper.close();
    await Promise.all(this.#running.values());
  }

  async #sweep(): Promise<void> {
    this.#clean();
    if (!this.#hasRoom() && this.#running.size > 0) return;
    const open = await this.#options.uses.batches.openIds();
    this.#forget(new Set(open));
    const paused = await this.#options.uses.batches.pausedIds();
    this.#countOpen(open.filter((id) => !paused.has(id))); // also where batches are left to others
    if (!this.#hasRoom()) return;
    const known = await this.#knownOf(open.filter((id) => this.#mayTry(id)));
    // One whose window ends while it rests is run to its end.
    let waiting = known.filter(({ id, expiresAt }) => !paused.has(id) || Date.now() >= expiresAt * 1000);
    while (this.#hasRoom()) {
      const next = this.#turns.next(waiting, (owner) => this.#hasPlace(owner));
      if (next === undefined) return;
      if (await this.#take(next.id)) this.#turns.hadTurn(next.owner);
      waiting = waiting.filter((batch) => batch !== next);
    }
  }

  #countOpen(open: readonly string[]): void {
    const { batchesOpen, batchOldest } = this.#options.uses.metrics;
    batchesOpen.set(open.length);
    const oldestMs = open.reduce((least, id) => Math.min(least, madeAtMs(id)), Date.now());
    batchOldest.set((Date.now() - oldestMs) / 1000);
  }

  /** Apart from the search, as it reads every record. */
  #clean(): void {
    if (Date.now() - this.#cleanedAtMs < CLEAN_MS) return;
    this.#cleanedAtMs = Date.now();
    const { batches, files, logger } = this.#options.uses;
    void Promise.all([batches.mendLists(), files.clean()]).catch((err: unknown) => {
      logger.warn({ err }, "storage not cleaned, trying again in an hour");
    });
  }

  #hasRoom(): boolean {
    return this.#running.size < this.#options.mostBatches && !this.#sweeper.closing.aborted;
  }

  #mayTry(id: string): boolean {
    return !this.#running.has(id) && performance.now() >= (this.#notBeforeMs.get(id) ?? 0);
  }

  /** An API key has no more places than it leaves free, so that its batches keep no other's from running for days. */
  #hasPlace(owner: string): boolean {
    if (owner === "") return true;
    const running = [...this.#running.keys()];
    const own = running.filter((each) => this.#known.get(each)?.owner === owner).length;
    return own < this.#options.mostBatches - running.length;
  }

  /** "" also for a batch whose record is missing or can't be read: its run says why. */
  async #knownOf(ids: readonly string[]): Promise<readonly KnownBatch[]> {
    const unknown = ids.filter((id) => !this.#known.has(id));
    const records = await this.#options.uses.batches.readable(unknown);
    for (const { id, owner = "", expiresAt } of records) this.#known.set(id, { id, owner, expiresAt });
    return ids.map((id) => this.#known.get(id) ?? { id, owner: "", expiresAt: 0 });
  }

  #forget(open: ReadonlySet<string>): void {
    for (const id of this.#known.keys()) if (!open.has(id) && !this.#running.has(id)) this.#known.delete(id);
  }

  /** false: another gateway runs it. */
  async #take(id: string): Promise<boolean> {
    const lease = await this.#options.takeLease({ id, owner: this.#owner, leaseMs: LEASE_MS });
    if (lease === null) return false;
    const running = this.#run(id, lease).finally(() => {
      this.#running.delete(id);
      this.#options.uses.metrics.batchesRunning.set(this.#running.size);
    });
    this.#running.set(id, running);
    this.#options.uses.metrics.batchesRunning.set(this.#running.size);
    return true;
  }

  /** A mark without a record: the batch is just being created, or its creator died before it answered. */
  async #forgetStillborn(id: string): Promise<void> {
    if (Date.now() - madeAtMs(id) > UNBORN_MS) await this.#options.uses.batches.forgetOpen(id).catch(() => {});
  }

  /** Never rejects. */
  async #run(id: string, lease: Pick<BatchLease, "lost" | "release">): Promise<void> {
    const { uses, linesInFlight, input } = this.#options;
    const handover = AbortSignal.any([lease.lost, this.#sweeper.closing]);
    try {
      const batch = await uses.batches.get(id);
      // The batch is over; its mark outlived a crash.
      if (isOver(batch)) await uses.batches.forgetOpen(id);
      else {
        const options = { uses, batch, handover, linesInFlight, input, tickMs: TICK_MS, pauseMs: PAUSE_MS };
        if ((await new BatchRun(options).run()) === "rests") uses.logger.info({ batch: id }, "batch rests");
      }
      this.#notBeforeMs.delete(id);
    } catch (err) {
      const isUnborn = err instanceof RhoneError && err.code === "NOT_FOUND";
      this.#notBeforeMs.set(id, performance.now() + (isUnborn ? 0 : RETRY_MS));
      if (isUnborn) await this.#forgetStillborn(id);
      else if (handover.aborted) uses.logger.info({ batch: id }, "batch left to the next gateway");
      else if (err instanceof RhoneError && MODEL_AWAY.has(err.code))
        uses.logger.info({ batch: id, why: err.message }, "batch waits for its model");
      else uses.logger.error({ err, batch: id }, "batch interrupted, trying again");
    }
    await lease.release().catch((err: unknown) => uses.logger.warn({ err, batch: id }, "lease not released"));
  }
}
