import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { RhoneError } from "@rhone/common";
import { timedId } from "../files/timed-id.js";
import { isMissing, readJson, writeJson } from "../files/write-json.js";
import { type BatchRecord, isOver } from "./batch-record.js";
import { ResultLog } from "./result-log.js";

export const newBatchId = (): string => `batch_${timedId()}`;

/** Ids become paths: nothing else may. */
const isBatchId = (id: string): boolean => /^batch_[0-9a-f]{24}$/.test(id);

/**
 * Batches on disk, the truth about them: `batches/ID/batch.json`, with the result logs beside it, `cancel` once somebody has
 * asked for that, and `open/ID` until it is over. Gateways that share batches share this folder.
 */
export class BatchStore {
  readonly #batches: string;
  readonly #open: string;

  /** The folders are made with the first batch. */
  constructor(folder: string) {
    this.#batches = join(folder, "batches");
    this.#open = join(folder, "open");
  }

  /** From here on a gateway will run it, whatever happens to this one. */
  async create(record: BatchRecord): Promise<void> {
    await mkdir(this.#folder(record.id), { recursive: true, mode: 0o700 });
    await mkdir(this.#open, { recursive: true, mode: 0o700 });
    // The mark first: a record without one would wait for ever.
    await writeFile(join(this.#open, record.id), "");
    await this.save(record);
  }

  async save(record: BatchRecord): Promise<void> {
    await writeJson(join(this.#folder(record.id), "batch.json"), record);
    if (isOver(record)) await this.forgetOpen(record.id);
  }

  /** Throws NOT_FOUND. */
  async get(id: string): Promise<BatchRecord> {
    const record = isBatchId(id) ? await readJson<BatchRecord>(join(this.#folder(id), "batch.json")) : null;
    if (record === null) throw new RhoneError("NOT_FOUND", `There is no batch ${id}.`);
    return record;
  }

  /** Those of them that there are, in this order. */
  async getAll(ids: readonly string[]): Promise<readonly BatchRecord[]> {
    const records = ids.map((id) => readJson<BatchRecord>(join(this.#folder(id), "batch.json")));
    return (await Promise.all(records)).filter((record) => record !== null);
  }

  /** Newest first. */
  async ids(): Promise<readonly string[]> {
    return (await names(this.#batches)).filter(isBatchId).sort().reverse();
  }

  /** Those that are not over, oldest first. */
  async openIds(): Promise<readonly string[]> {
    return (await names(this.#open)).filter(isBatchId).sort();
  }

  async forgetOpen(id: string): Promise<void> {
    await rm(join(this.#open, id), { force: true });
  }

  /** Asks whoever runs it to stop. The first call counts. */
  async requestCancel(id: string, nowMs: number = Date.now()): Promise<void> {
    if ((await this.cancelledAt(id)) !== null) return;
    await writeJson(join(this.#folder(id), "cancel"), Math.floor(nowMs / 1000));
  }

  /** When that was asked for, in Unix seconds. */
  async cancelledAt(id: string): Promise<number | null> {
    return readJson<number>(join(this.#folder(id), "cancel"));
  }

  /** A log for this owner's results. */
  async newResults(id: string): Promise<ResultLog> {
    return ResultLog.create(this.#folder(id));
  }

  /** Every owner's log, the first owner's first. */
  async resultPaths(id: string): Promise<readonly string[]> {
    const logs = (await names(this.#folder(id))).filter((name) => name.startsWith("results-"));
    return logs.sort((a, b) => a.length - b.length || a.localeCompare(b)).map((name) => join(this.#folder(id), name));
  }

  async removeResults(id: string): Promise<void> {
    for (const path of await this.resultPaths(id)) await rm(path, { force: true });
  }

  #folder(id: string): string {
    return join(this.#batches, id);
  }
}

async function names(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
}
