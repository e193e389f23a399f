import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { RhoneError } from "@rhone/common";
import { FileDraft } from "./file-draft.js";
import { type FileRecord, isFileId } from "./file-record.js";
import { isMissing, readJson, writeJson } from "./write-json.js";

const RECORD = ".json";
/** A draft this old was left behind by a process that died. */
const ABANDONED_MS = 24 * 3600 * 1000;

/** Uploaded and produced files, on disk: ID holds the bytes, ID.json the record. A file exists when its record does. */
export class FileStore {
  readonly #folder: string;

  /** The folder is made when the first file is. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  async draft(): Promise<FileDraft> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    return FileDraft.create(join(this.#folder, `${randomUUID()}.part`));
  }

  /** The draft becomes the file. The same id again replaces it. */
  async commit(draft: FileDraft, about: Omit<FileRecord, "bytes" | "lines">): Promise<FileRecord> {
    const record = { ...about, bytes: draft.bytes, lines: draft.lines };
    await draft.commit(this.#path(about.id));
    await writeJson(this.#path(about.id) + RECORD, record);
    return record;
  }

  /** Throws NOT_FOUND, also for one that has expired. */
  async get(id: string): Promise<FileRecord> {
    const record = isFileId(id) ? await readJson<FileRecord>(this.#path(id) + RECORD) : null;
    if (record === null || isExpired(record)) throw new RhoneError("NOT_FOUND", `There is no file ${id}.`);
    return record;
  }

  /** The bytes. Throws NOT_FOUND. */
  async read(id: string): Promise<Readable> {
    await this.get(id);
    return createReadStream(this.#path(id), { highWaterMark: 256 * 1024 });
  }

  /** Throws NOT_FOUND. */
  async delete(id: string): Promise<void> {
    await this.get(id);
    await this.#remove(id);
  }

  /** Ids, newest first. */
  async ids(): Promise<readonly string[]> {
    const names = await this.#names();
    const ids = names.filter((name) => name.endsWith(RECORD)).map((name) => name.slice(0, -RECORD.length));
    return ids.filter(isFileId).sort().reverse();
  }

  /** Removes files that have expired and drafts that nobody writes any more. */
  async clean(nowMs: number = Date.now()): Promise<void> {
    for (const id of await this.ids()) {
      const record = await readJson<FileRecord>(this.#path(id) + RECORD);
      if (record !== null && isExpired(record, nowMs)) await this.#remove(id);
    }
    for (const name of (await this.#names()).filter((each) => each.endsWith(".part"))) {
      const path = join(this.#folder, name);
      const changedAtMs = await stat(path).then(({ mtimeMs }) => mtimeMs, nothingThere);
      if (changedAtMs !== null && nowMs - changedAtMs > ABANDONED_MS) await rm(path, { force: true });
    }
  }

  async #remove(id: string): Promise<void> {
    await rm(this.#path(id) + RECORD, { force: true });
    await rm(this.#path(id), { force: true });
  }

  async #names(): Promise<readonly string[]> {
    return (await readdir(this.#folder).catch(nothingThere)) ?? [];
  }

  #path(id: string): string {
    return join(this.#folder, id);
  }
}

const isExpired = ({ expiresAt }: FileRecord, nowMs: number = Date.now()): boolean =>
  expiresAt !== null && expiresAt * 1000 <= nowMs;

function nothingThere(error: unknown): null {
  if (isMissing(error)) return null;
  throw error;
}
