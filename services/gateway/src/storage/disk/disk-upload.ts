import { type FileHandle, open, rename, rm } from "node:fs/promises";
import type { ObjectUpload } from "../object-storage.js";
import { explainFullDisk, unfinishedPath } from "./disk-files.js";

/** A file that has a temporary name until it is finished. */
export class DiskUpload implements ObjectUpload {
  readonly #path: string;
  readonly #unfinished: string;
  readonly #handle: FileHandle;

  private constructor(path: string, unfinished: string, handle: FileHandle) {
    this.#path = path;
    this.#unfinished = unfinished;
    this.#handle = handle;
  }

  static async create(path: string): Promise<DiskUpload> {
    const unfinished = unfinishedPath(path);
    return new DiskUpload(path, unfinished, await open(unfinished, "wx", 0o600));
  }

  async write(bytes: Buffer): Promise<void> {
    await this.#handle.appendFile(bytes).catch(explainFullDisk);
  }

  async finish(): Promise<void> {
    await this.#handle.datasync().catch(explainFullDisk);
    await this.#handle.close();
    await rename(this.#unfinished, this.#path);
  }

  async abort(): Promise<void> {
    await this.#handle.close().catch(() => {}); // a finish that failed may have closed it
    await rm(this.#unfinished, { force: true });
  }
}
