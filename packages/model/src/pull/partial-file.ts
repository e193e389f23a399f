import { type FileHandle, open, readFile, rm, statfs, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { RhoneError } from "@rhone/common/rhone-error";

/**
 * The bytes received so far: `<path>.partial`, and beside it the ETag of their content, so a file that changed on the
 * server is never assembled from two versions.
 */
export class PartialFile {
  readonly path: string;
  readonly #etagPath: string;
  readonly #handle: FileHandle;
  #bytes: number;
  #etag: string | undefined;

  private constructor(
    path: string,
    handle: FileHandle,
    state: { readonly bytes: number; readonly etag: string | undefined },
  ) {
    this.path = path;
    this.#etagPath = `${path}.etag`;
    this.#handle = handle;
    this.#bytes = state.bytes;
    this.#etag = state.etag;
  }

  /** Opens the file that an earlier pull of `finalPath` left, or an empty one. */
  static async open(finalPath: string): Promise<PartialFile> {
    const path = `${finalPath}.partial`;
    const handle = await open(path, "a+");
    const { size } = await handle.stat();
    const etag = await readFile(`${path}.etag`, "utf8").catch(() => undefined);
    const partial = new PartialFile(path, handle, { bytes: size, etag });
    if (size > 0 && etag === undefined) await partial.restart(undefined);
    return partial;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The byte to continue from; 0 without an ETag, because nothing would prove that the next part fits. */
  get resumeFrom(): number {
    return this.#etag === undefined ? 0 : this.#bytes;
  }

  /** Whether the bytes are the beginning of the content that `etag` names. */
  belongsTo(etag: string | undefined): boolean {
    return this.#bytes === 0 || (etag !== undefined && etag === this.#etag);
  }

  /** Drops all bytes and records the ETag of the content to come. */
  async restart(etag: string | undefined): Promise<void> {
    await this.#handle.truncate(0);
    this.#bytes = 0;
    this.#etag = etag;
    if (etag === undefined) await rm(this.#etagPath, { force: true });
    else await writeFile(this.#etagPath, etag);
  }

  async append(chunk: Uint8Array): Promise<void> {
    try {
      await this.#handle.appendFile(chunk);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== "ENOSPC") throw cause;
      throw new RhoneError(
        "DISK_FULL",
        `The disk is full after ${this.#bytes} bytes of ${this.path}; free some space and pull again.`,
        { cause },
      );
    }
    this.#bytes += chunk.length;
  }

  /** Throws DISK_FULL when the disk cannot take the rest of a file of `totalBytes`. */
  async checkSpace(totalBytes: number): Promise<void> {
    const { bavail, bsize } = await statfs(dirname(this.path));
    const free = bavail * bsize;
    const missing = totalBytes - this.#bytes;
    if (missing <= free) return;
    throw new RhoneError("DISK_FULL", `${dirname(this.path)} has ${free} bytes free, but ${missing} more are needed.`);
  }

  /** Flushes to disk and closes a file whose bytes are all there. */
  async complete(): Promise<void> {
    await this.#handle.sync();
    await this.#handle.close();
  }

  /** Closes the file, to be resumed later; never throws. */
  async suspend(): Promise<void> {
    await this.#handle.close().catch(() => undefined);
  }

  /** Removes the bytes and their ETag, after `complete` or `suspend`. */
  async remove(): Promise<void> {
    await rm(this.path, { force: true });
    await this.forgetEtag();
  }

  async forgetEtag(): Promise<void> {
    await rm(this.#etagPath, { force: true });
  }
}
