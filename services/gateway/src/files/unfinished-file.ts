import { randomBytes } from "node:crypto";
import type { ObjectStorage, ObjectUpload } from "../storage/object-storage.js";
import { newFileId } from "./file-record.js";

const NEWLINE = 10;

/** A file that is being written. It does not exist for readers until the store commits it. */
export class UnfinishedFile {
  readonly id: string;
  /** Names the bytes, once per writer, so that two writers of one file never mix. */
  readonly content: string;
  readonly #upload: ObjectUpload;
  #bytes = 0;
  #newlines = 0;
  #lastByte = NEWLINE;

  private constructor(id: string, content: string, upload: ObjectUpload) {
    this.id = id;
    this.content = content;
    this.#upload = upload;
  }

  static async create(storage: ObjectStorage, folder: string, id = newFileId()): Promise<UnfinishedFile> {
    const content = `${id}-${randomBytes(6).toString("hex")}`;
    return new UnfinishedFile(id, content, await storage.upload(`${folder}/${content}`));
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Lines of text; the last one need not end. */
  get lines(): number {
    return this.#newlines + (this.#lastByte === NEWLINE ? 0 : 1);
  }

  /** One call at a time. Throws DISK_FULL or STORAGE_UNAVAILABLE. */
  async write(bytes: Buffer): Promise<void> {
    if (bytes.length === 0) return;
    await this.#upload.write(bytes);
    this.#bytes += bytes.length;
    this.#lastByte = bytes[bytes.length - 1] ?? NEWLINE;
    for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) this.#newlines++;
  }

  /** Makes the bytes durable. */
  finish(): Promise<void> {
    return this.#upload.finish();
  }

  discard(): Promise<void> {
    return this.#upload.abort();
  }
}
