import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { RhoneError } from "@rhone/common";

const NEWLINE = 10;

/** A file that is being written. Nobody sees it until it is committed. */
export class FileDraft {
  readonly #path: string;
  readonly #handle: FileHandle;
  #bytes = 0;
  #newlines = 0;
  #lastByte = NEWLINE;

  private constructor(path: string, handle: FileHandle) {
    this.#path = path;
    this.#handle = handle;
  }

  static async create(path: string): Promise<FileDraft> {
    return new FileDraft(path, await open(path, "wx", 0o600));
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Of text that may lack the last line's end. */
  get lines(): number {
    return this.#newlines + (this.#lastByte === NEWLINE ? 0 : 1);
  }

  /** One call at a time. Throws DISK_FULL. */
  async write(bytes: Buffer): Promise<void> {
    if (bytes.length === 0) return;
    await this.#handle.appendFile(bytes).catch(explainFullDisk);
    this.#bytes += bytes.length;
    this.#lastByte = bytes[bytes.length - 1] ?? NEWLINE;
    for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) this.#newlines++;
  }

  /** Makes it durable, then puts it at `path` in one move. */
  async commit(path: string): Promise<void> {
    await this.#handle.datasync().catch(explainFullDisk);
    await this.#handle.close();
    await rename(this.#path, path);
  }

  async discard(): Promise<void> {
    await this.#handle.close();
    await rm(this.#path, { force: true });
  }
}

export function explainFullDisk(error: unknown): never {
  if (!(error instanceof Error) || (error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
  throw new RhoneError("DISK_FULL", "The gateway's storage is full; delete files that are no longer needed.", {
    cause: error,
  });
}
