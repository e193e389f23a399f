import { createReadStream } from "node:fs";
import { readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { makeFolder } from "@rhone/common";
import type { LineLog, ObjectStorage, ObjectUpload } from "../object-storage.js";
import { explainFullDisk, nothingThere, replaceFile, UNFINISHED } from "./disk-files.js";
import { DiskLog } from "./disk-log.js";
import { DiskUpload } from "./disk-upload.js";

/** Objects as files in a folder. Gateways that share the folder share files and batches. */
export class DiskStorage implements ObjectStorage {
  readonly pace = { sweepMs: 500, saveMs: 1000 };
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  async list(folder: string): Promise<readonly string[]> {
    return (await this.#names(folder)).filter((name) => !name.endsWith(UNFINISHED));
  }

  get(key: string): Promise<Buffer | null> {
    return readFile(this.#path(key)).catch(nothingThere);
  }

  async put(key: string, text: string): Promise<void> {
    await replaceFile(await this.#newPath(key), text);
  }

  async touch(key: string): Promise<void> {
    await writeFile(await this.#newPath(key), "", { mode: 0o600 }).catch(explainFullDisk);
  }

  async delete(key: string): Promise<void> {
    await rm(this.#path(key), { force: true });
  }

  read(key: string): Readable {
    return createReadStream(this.#path(key), { highWaterMark: 256 * 1024 });
  }

  async writtenAtMs(key: string): Promise<number | null> {
    return stat(this.#path(key)).then(({ mtimeMs }) => mtimeMs, nothingThere);
  }

  async upload(key: string): Promise<ObjectUpload> {
    return DiskUpload.create(await this.#newPath(key));
  }

  async openLog(key: string): Promise<LineLog> {
    return DiskLog.create(`${await this.#newPath(key)}.jsonl`);
  }

  async removeUnfinished(folder: string, beforeMs: number): Promise<void> {
    for (const name of await this.#names(folder)) {
      const key = `${folder}/${name}`;
      if (!name.endsWith(UNFINISHED)) continue;
      if (((await this.writtenAtMs(key)) ?? beforeMs) < beforeMs) await this.delete(key);
    }
  }

  close(): void {}

  async #names(folder: string): Promise<readonly string[]> {
    return (await readdir(this.#path(folder)).catch(nothingThere)) ?? [];
  }

  async #newPath(key: string): Promise<string> {
    const path = this.#path(key);
    await makeFolder(dirname(path), 0o700);
    return path;
  }

  #path(key: string): string {
    return join(this.#root, key);
  }
}
