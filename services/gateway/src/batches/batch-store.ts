import { RhoneError } from "@rhone/common";
import { z } from "zod";
import { InTurns, type Reader } from "../storage/in-turns.js";
import { type ObjectStorage, readRecord, type StoragePace, timedId } from "../storage/object-storage.js";
import { type OwnedName, OwnedNames } from "../storage/owned-names.js";
import { type BatchRecord, batchRecordSchema, isOver } from "./batch-record.js";
import { type LineResult, ResultLog, readResults } from "./result-log.js";

const BATCHES = "batches";
const OPEN = "open";
const PAUSED = "paused";
const RESULTS = "results-";

/**
 * Loose: fields that a later version added stay in the record when this one saves it. One schema for all records, as
 * zod compiles each when it is first used.
 */
const STORED = batchRecordSchema.loose();

export const newBatchId = (): string => `batch_${timedId()}`;

/** Ids become parts of keys, so anything else is refused. */
const isBatchId = (id: string): boolean => /^batch_[0-9a-f]{24}$/.test(id);

const keyOf = (id: string, name: string): string => `${BATCHES}/${id}/${name}`;

/** What was asked of a batch, besides to run. In Unix seconds; null: nobody asked for that. */
export interface BatchMarks {
  readonly cancelledAt: number | null;
  readonly pausedAt: number | null;
}

export const NO_MARKS: BatchMarks = { cancelledAt: null, pausedAt: null };

/**
 * Batches in the storage, which is the source of truth: `batches/ID/batch.json`, or `end.json` once the batch is over;
 * beside it the result logs, `cancel` once cancellation was requested, and the marks `open/ID` until it is over and
 * `paused/ID` while it is to rest.
 * Gateways that share batches share the storage.
 */
export class BatchStore {
  readonly #storage: ObjectStorage;
  readonly #names: OwnedNames;
  readonly #inTurns = new InTurns();
  /** For work of no request, which requests must not refuse. */
  readonly #inBackground = new InTurns();
  #onRunnable: () => void = () => {};

  constructor(storage: ObjectStorage) {
    this.#storage = storage;
    this.#names = new OwnedNames(storage, {
      kind: "batches",
      ids: async () => (await storage.list(BATCHES)).filter(isBatchId),
      nameOf: (id) => this.#find(id).then((record) => record && nameOf(record), ifUnreadable),
    });
  }

  get pace(): StoragePace {
    return this.#storage.pace;
  }

  /** `listener` is called when this process creates a batch, or lets one go on. There is one listener. */
  whenRunnable(listener: () => void): void {
    this.#onRunnable = listener;
  }

  /** From here on some gateway will run the batch, even if this one dies. */
  async create(record: BatchRecord): Promise<void> {
    // The mark first: no gateway would find a record without one.
    await this.#storage.put(`${OPEN}/${record.id}`, record.id);
    await this.save(record);
    await this.#names.add(nameOf(record));
    this.#onRunnable();
  }

  /** A final state gets a record of its own, which a late write of an earlier owner cannot undo. */
  async save(record: BatchRecord): Promise<void> {
    await this.#storage.put(keyOf(record.id, isOver(record) ? "end.json" : "batch.json"), JSON.stringify(record));
    if (!isOver(record)) return;
    await this.forgetOpen(record.id);
    await this.#storage.delete(`${PAUSED}/${record.id}`);
  }

  /** Throws NOT_FOUND and RECORD_UNREADABLE. */
  async get(id: string): Promise<BatchRecord> {
    const record = isBatchId(id) ? await this.#find(id) : null;
    if (record === null) throw new RhoneError("NOT_FOUND", `There is no batch ${id}.`);
    return record;
  }

  /** Runs `use` of a batch or two when it is the reader's turn. Throws as `InTurns`. */
  inTurn<T>(reader: Reader, use: () => Promise<T>): Promise<T> {
    return this.#inTurns.few(reader, use);
  }

  /** The existing ones of these batches, in this order. Throws as `InTurns`. */
  async getAll(ids: readonly string[], reader: Reader): Promise<readonly BatchRecord[]> {
    const records = await this.#inTurns.all(ids, (id) => this.#find(id), reader);
    return records.filter((record) => record !== null);
  }

  /** Those of these batches whose records can be read. */
  async readable(ids: readonly string[]): Promise<readonly BatchRecord[]> {
    const records = await this.#inBackground.all(ids, (id) => this.#find(id).catch(ifUnreadable), { owner: "" });
    return records.filter((record) => record !== null);
  }

  /** Of the owner's batches, newest first. */
  ids(owner: string): Promise<readonly string[]> {
    return this.#names.all(owner);
  }

  /** Those of all owners that are not over, oldest first. */
  async openIds(): Promise<readonly string[]> {
    return (await this.#storage.list(OPEN)).filter(isBatchId).sort();
  }

  async openIdsOf(owner: string): Promise<readonly string[]> {
    const own = new Set(await this.ids(owner));
    return (await this.openIds()).filter((id) => own.has(id));
  }

  /** Adds what is missing in lists: batches of an earlier release, and those whose creator died too early. */
  mendLists(): Promise<void> {
    return this.#names.mend();
  }

  forgetOpen(id: string): Promise<void> {
    return this.#storage.delete(`${OPEN}/${id}`);
  }

  /** Asks the gateway that runs the batch to stop. Returns when that was asked first, in Unix seconds. */
  async requestCancel(id: string, nowMs: number = Date.now()): Promise<number> {
    const before = await this.cancelledAt(id);
    if (before !== null) return before;
    const now = Math.floor(nowMs / 1000);
    await this.#storage.put(keyOf(id, "cancel"), JSON.stringify(now));
    await this.resume(id);
    return now;
  }

  /** When cancellation was requested, in Unix seconds. */
  cancelledAt(id: string): Promise<number | null> {
    return readRecord(this.#storage, keyOf(id, "cancel"), z.number());
  }

  /** Asks that no more of its lines begin. Returns when that was asked first, in Unix seconds. */
  async pause(id: string, nowMs: number = Date.now()): Promise<number> {
    const before = await this.pausedAt(id);
    if (before !== null) return before;
    const now = Math.floor(nowMs / 1000);
    await this.#storage.put(`${PAUSED}/${id}`, JSON.stringify(now));
    return now;
  }

  /** Some gateway goes on with it. */
  async resume(id: string): Promise<void> {
    await this.#storage.delete(`${PAUSED}/${id}`);
    this.#onRunnable();
  }

  /** Since when it rests, in Unix seconds; null: it does not. */
  pausedAt(id: string): Promise<number | null> {
    return readRecord(this.#storage, `${PAUSED}/${id}`, z.number());
  }

  /** Those of all owners that rest. */
  async pausedIds(): Promise<ReadonlySet<string>> {
    return new Set((await this.#storage.list(PAUSED)).filter(isBatchId));
  }

  async marks(id: string): Promise<BatchMarks> {
    const [cancelledAt, pausedAt] = await Promise.all([this.cancelledAt(id), this.pausedAt(id)]);
    return { cancelledAt, pausedAt };
  }

  /** The same of each of these batches, in their order. Throws as `InTurns`. */
  marksOfAll(ids: readonly string[], reader: Reader): Promise<readonly BatchMarks[]> {
    return this.#inTurns.all(ids, (id) => this.marks(id), reader);
  }

  /** A log for the results of this owner only. */
  async newResults(id: string): Promise<ResultLog> {
    return new ResultLog(await this.#storage.openLog(keyOf(id, RESULTS + timedId())));
  }

  /** The first result of each line, over all owners. */
  async *results(id: string): AsyncGenerator<LineResult> {
    yield* readResults(this.#logs(id));
  }

  async removeResults(id: string): Promise<void> {
    for (const key of await this.#logKeys(id)) await this.#storage.delete(key);
  }

  async *#logs(id: string): AsyncGenerator<AsyncIterable<Buffer>> {
    for (const key of await this.#logKeys(id)) yield this.#storage.read(key);
  }

  async #logKeys(id: string): Promise<readonly string[]> {
    const names = await this.#storage.list(`${BATCHES}/${id}`);
    return names
      .filter((name) => name.startsWith(RESULTS))
      .sort()
      .map((name) => keyOf(id, name));
  }

  async #find(id: string): Promise<BatchRecord | null> {
    const end = await readRecord(this.#storage, keyOf(id, "end.json"), STORED);
    return end ?? readRecord(this.#storage, keyOf(id, "batch.json"), STORED);
  }
}

const nameOf = ({ id, owner = "" }: BatchRecord): OwnedName => ({ owner, name: id });

function ifUnreadable(error: unknown): null {
  if (error instanceof RhoneError && error.code === "RECORD_UNREADABLE") return null;
  throw error;
}
