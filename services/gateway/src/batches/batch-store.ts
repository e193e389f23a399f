import { RhoneError } from "@rhone/common";
import { type ObjectStorage, readJson, type StoragePace, timedId } from "../storage/object-storage.js";
import { type BatchRecord, isOver } from "./batch-record.js";
import { type LineResult, ResultLog, readResults } from "./result-log.js";

const BATCHES = "batches";
const OPEN = "open";
const RESULTS = "results-";

export const newBatchId = (): string => `batch_${timedId()}`;

/** Ids become keys: nothing else may. */
const isBatchId = (id: string): boolean => /^batch_[0-9a-f]{24}$/.test(id);

const keyOf = (id: string, name: string): string => `${BATCHES}/${id}/${name}`;

/**
 * Batches in the storage, the truth about them: `batches/ID/batch.json`, and `end.json` when it is over; beside them the result
 * logs, `cancel` once somebody has asked for that, and `open/ID` until it is over. Gateways that share batches share the storage.
 */
export class BatchStore {
  readonly #storage: ObjectStorage;
  #onCreated: () => void = () => {};

  constructor(storage: ObjectStorage) {
    this.#storage = storage;
  }

  get pace(): StoragePace {
    return this.#storage.pace;
  }

  /** `listener` is told of batches that this process creates. One only. */
  whenCreated(listener: () => void): void {
    this.#onCreated = listener;
  }

  /** From here on a gateway will run it, whatever happens to this one. */
  async create(record: BatchRecord): Promise<void> {
    // The mark first: a record without one would wait for ever.
    await this.#storage.put(`${OPEN}/${record.id}`, record.id);
    await this.save(record);
    this.#onCreated();
  }

  /** A state that nothing follows has a record of its own, which an earlier owner's late write can't undo. */
  async save(record: BatchRecord): Promise<void> {
    await this.#storage.put(keyOf(record.id, isOver(record) ? "end.json" : "batch.json"), JSON.stringify(record));
    if (isOver(record)) await this.forgetOpen(record.id);
  }

  /** Throws NOT_FOUND. */
  async get(id: string): Promise<BatchRecord> {
    const record = isBatchId(id) ? await this.#find(id) : null;
    if (record === null) throw new RhoneError("NOT_FOUND", `There is no batch ${id}.`);
    return record;
  }

  /** Those of them that there are, in this order. */
  async getAll(ids: readonly string[]): Promise<readonly BatchRecord[]> {
    const records = await Promise.all(ids.map((id) => this.#find(id)));
    return records.filter((record) => record !== null);
  }

  /** Newest first. */
  async ids(): Promise<readonly string[]> {
    return (await this.#storage.list(BATCHES)).filter(isBatchId).sort().reverse();
  }

  /** Those that are not over, oldest first. */
  async openIds(): Promise<readonly string[]> {
    return (await this.#storage.list(OPEN)).filter(isBatchId).sort();
  }

  forgetOpen(id: string): Promise<void> {
    return this.#storage.delete(`${OPEN}/${id}`);
  }

  /** Asks whoever runs it to stop. The first call counts. */
  async requestCancel(id: string, nowMs: number = Date.now()): Promise<void> {
    if ((await this.cancelledAt(id)) !== null) return;
    await this.#storage.put(keyOf(id, "cancel"), JSON.stringify(Math.floor(nowMs / 1000)));
  }

  /** When that was asked for, in Unix seconds. */
  cancelledAt(id: string): Promise<number | null> {
    return readJson<number>(this.#storage, keyOf(id, "cancel"));
  }

  /** A log for this owner's results alone. */
  async newResults(id: string): Promise<ResultLog> {
    return new ResultLog(await this.#storage.openLog(keyOf(id, RESULTS + timedId())));
  }

  /** One result of each line, of whichever owner. */
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
    const end = await readJson<BatchRecord>(this.#storage, keyOf(id, "end.json"));
    return end ?? readJson<BatchRecord>(this.#storage, keyOf(id, "batch.json"));
  }
}
