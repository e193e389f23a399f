import { type FileHandle, open } from "node:fs/promises";
import type { LineLog } from "../object-storage.js";
import { explainFullDisk } from "./disk-files.js";

/** Lines appended to a file. After `append` a line survives the death of this process, after `sync` a power failure. */
export class DiskLog implements LineLog {
  readonly #handle: FileHandle;
  #waiting: string[] = [];
  #writing: Promise<void> | undefined;
  #isSynced = true;

  private constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  static async create(path: string): Promise<DiskLog> {
    return new DiskLog(await open(path, "ax", 0o600));
  }

  append(line: string): Promise<void> {
    this.#waiting.push(`${line}\n`);
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  async sync(): Promise<void> {
    if (this.#isSynced) return;
    this.#isSynced = true;
    await this.#handle.datasync();
  }

  async close(): Promise<void> {
    await this.#writing;
    await this.sync();
    await this.#handle.close();
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const text = this.#waiting.join("");
      this.#waiting = [];
      await this.#handle.appendFile(text).catch(explainFullDisk);
      this.#isSynced = false;
    }
  }
}
