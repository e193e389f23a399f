import { once } from "node:events";
import { Readable } from "node:stream";
import { RhoneError } from "@rhone/common";
import { InTurns, type Reader } from "../storage/in-turns.js";
import { type ObjectStorage, readRecord } from "../storage/object-storage.js";
import { OwnedNames } from "../storage/owned-names.js";
import { mapInTurns } from "../turns.js";
import { type FileEntry, isExpired, nameOf, readName } from "./file-entry.js";
import { type FileRecord, fileRecordSchema, isFileId } from "./file-record.js";
import { UnfinishedFile } from "./unfinished-file.js";

const FOLDER = "files";
const RECORD = ".json";
/** One schema for all records, as zod compiles each when it is first used. */
const STORED = fileRecordSchema.loose();
/** An unfinished file this old was abandoned by a process that died. */
const ABANDONED_MS = 24 * 3600 * 1000;

/** The part of a record that does not follow from the bytes. */
export type FileDescription = Omit<FileRecord, "id" | "content" | "bytes" | "lines">;

/** Uploaded and generated files. A file exists if its record `files/ID.json` does, which names the bytes. */
export class FileStore {
  readonly #storage: ObjectStorage;
  readonly #names: OwnedNames;
  readonly #inTurns = new InTurns();

  constructor(storage: ObjectStorage) {
    this.#storage = storage;
    this.#names = new OwnedNames(storage, {
      kind: "files",
      ids: async () => idsOf(await storage.list(FOLDER)),
      nameOf: async (id) => {
        const record = await this.#readable(id);
        return record === null ? null : nameOf(record);
      },
    });
  }

  /** `id`: the file to replace; default: a new one. */
  create(id?: string): Promise<UnfinishedFile> {
    return UnfinishedFile.create(this.#storage, FOLDER, id);
  }

  /** Makes it a file, in place of an earlier one. */
  async commit(unfinished: UnfinishedFile, about: FileDescription): Promise<FileRecord> {
    const { id, content, bytes, lines } = unfinished;
    const record = { id, content, ...about, bytes, lines };
    await unfinished.finish();
    const before = await this.#readable(id);
    await this.#storage.put(recordKey(id), JSON.stringify(record));
    await this.#names.add(nameOf(record));
    if (before !== null && nameOf(before).name !== nameOf(record).name) await this.#names.remove(nameOf(before));
    return record;
  }

  /** Throws NOT_FOUND, also for an expired file, and RECORD_UNREADABLE. */
  async get(id: string): Promise<FileRecord> {
    const record = isFileId(id) ? await this.#record(id) : null;
    if (record === null || isExpired(record)) throw new RhoneError("NOT_FOUND", `There is no file ${id}.`);
    return record;
  }

  /** The bytes. Throws NOT_FOUND. */
  async read(id: string): Promise<Readable> {
    const { content, bytes } = await this.get(id);
    if (bytes === 0) return Readable.from([]);
    const stream = this.#storage.read(`${FOLDER}/${content}`);
    await once(stream, "readable").catch(async (error: unknown) => {
      // The file may have been deleted meanwhile.
      await this.get(id);
      throw error;
    });
    return stream;
  }

  /** Throws NOT_FOUND. */
  async delete(id: string): Promise<void> {
    await this.#remove(await this.get(id));
  }

  /** The owner's files, newest first. */
  async entries(owner: string): Promise<readonly FileEntry[]> {
    return readNames(await this.#names.all(owner));
  }

  /** In any order, and as far as they are known before the first list. */
  async known(owner: string): Promise<readonly FileEntry[]> {
    return readNames(await this.#names.known(owner));
  }

  /** The readable records of these files, in this order, read when it is the reader's turn. Throws as `InTurns`. */
  async getAll(ids: readonly string[], reader: Reader): Promise<readonly FileRecord[]> {
    const records = await this.#inTurns.all(ids, (id) => this.#readable(id), reader);
    return records.filter((record) => record !== null);
  }

  /** Removes expired files and those that a dead process left unfinished; keeps files whose records can't be read. */
  async clean(nowMs: number = Date.now()): Promise<void> {
    await this.#names.mend();
    const names = await this.#storage.list(FOLDER);
    const contents = new Set<string>();
    for (const id of idsOf(names)) {
      const record = await this.#record(id).catch(ifUnreadable);
      if (record === undefined) for (const name of names.filter((each) => each.startsWith(id))) contents.add(name);
      else if (record !== null && isExpired(record, nowMs)) await this.#remove(record);
      else if (record !== null) contents.add(record.content);
    }
    await this.#storage.removeUnfinished(FOLDER, nowMs - ABANDONED_MS);
    for (const name of names) {
      if (name.endsWith(RECORD) || contents.has(name)) continue;
      const writtenAtMs = await this.#storage.writtenAtMs(`${FOLDER}/${name}`);
      if (writtenAtMs !== null && nowMs - writtenAtMs > ABANDONED_MS) await this.#storage.delete(`${FOLDER}/${name}`);
    }
  }

  #record(id: string): Promise<FileRecord | null> {
    return readRecord(this.#storage, recordKey(id), STORED);
  }

  /** null also for one of another version. */
  async #readable(id: string): Promise<FileRecord | null> {
    return (await this.#record(id).catch(ifUnreadable)) ?? null;
  }

  async #remove(record: FileRecord): Promise<void> {
    await this.#storage.delete(recordKey(record.id));
    await this.#names.remove(nameOf(record));
    await this.#storage.delete(`${FOLDER}/${record.content}`);
  }
}

async function readNames(names: readonly string[]): Promise<readonly FileEntry[]> {
  const entries = await mapInTurns(names, readName);
  return entries.filter((entry) => !isExpired(entry));
}

const recordKey = (id: string): string => `${FOLDER}/${id}${RECORD}`;

function idsOf(names: readonly string[]): readonly string[] {
  const ids = names.filter((name) => name.endsWith(RECORD)).map((name) => name.slice(0, -RECORD.length));
  return ids.filter(isFileId).sort().reverse();
}

function ifUnreadable(error: unknown): undefined {
  if (!(error instanceof RhoneError) || error.code !== "RECORD_UNREADABLE") throw error;
}
