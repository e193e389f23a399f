import { type FileHandle, open, rename, rm } from "node:fs/promises";
import type { ObjectUpload } from "../object-storage.js";
import { explainFullDisk, unfinishedPath } from "./disk-files.js";

/** A file that has a temporary name until it is finished. */
export class DiskUpload implements ObjectUpload {
  readonly #path: string;
  readonly #draft: string;
  readonly #handle: FileHandle;

  private constructor(path: string, draft: string, handle: FileHandle) {
    this.#path = path;
    this.#draft = draft;
    this.#handle = handle;
  }

  static async create(path: string): Promise<DiskUpload> {
    const draft = unfinishedPath(path);
    return new DiskUpload(path, draft, await open(draft, "wx", 0o600));
  }

  async write(bytes: Buffer): Promise<void> {
    await this.#handle.appendFile(bytes).catch(explainFullDisk);
  }

  async finish(): Promise<void> {
    await this.#handle.datasync().catch(explainFullDisk);
    await this.#handle.close();
    await rename(this.#draft, this.#path);
  }

  async abort(): Promise<void> {
    await this.#handle.close().catch(() => {}); // a finish that failed may have closed it
    await rm(this.#draft, { force: true });
  }
}
