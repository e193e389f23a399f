import { randomUUID } from "node:crypto";
import { type FileHandle, open, readdir, truncate } from "node:fs/promises";
import { join } from "node:path";
import { makeFolder } from "@rhone/common";
import { type GgufFile, openGguf } from "@rhone/model";
import { z } from "zod";
import { diskError } from "../files/disk-error.js";
import { fileStamp } from "../files/file-stamp.js";
import { appendJsonLines, readJsonLines } from "../files/json-lines.js";
import { Holds } from "./hold.js";

export const USER = "user-";
/** Files whose value is how many bytes the folder will have when what is being fetched is there. */
export const ROOM = "room-";
const CLAIM = "claim-";

const lineSchema = z.union([
  /** A tensor whose bytes are in the file and had this SHA-256; null: they turned out to be others. */
  z.object({ tensor: z.string(), sha256: z.string().nullable() }),
  /** These tensors were right when the files had this stamp. */
  z.object({ stamp: z.string(), tensors: z.array(z.string()) }),
]);

export interface Fetched {
  /** The tensors that were fetched, with their SHA-256. */
  readonly hashes: ReadonlyMap<string, string>;
  /** Those whose files nobody has written to since: they need no other look. */
  readonly sealed: ReadonlySet<string>;
}

/**
 * A model in the cache: files of the model's sizes that have its header and, of its tensors, those that were fetched;
 * the rest are holes, which take no room. Several processes may use and fill it at a time. It is in use, and therefore
 * not evicted, until `close`.
 */
export class CachedModel {
  readonly folder: string;
  readonly #holds: Holds;

  private constructor(folder: string, holds: Holds) {
    this.folder = folder;
    this.#holds = holds;
  }

  /** Makes the folder where there is none. To be called while nobody evicts. */
  static async open(folder: string): Promise<CachedModel> {
    await makeFolder(folder, 0o700);
    const holds = new Holds();
    try {
      await holds.take(join(folder, USER + randomUUID()));
      return new CachedModel(folder, holds);
    } catch (error) {
      holds.close();
      throw error;
    }
  }

  /** Says that the folder will have `bytes`, until the returned function is called. */
  async announce(bytes: number): Promise<() => void> {
    const path = join(this.folder, ROOM + randomUUID());
    await this.#holds.take(path, bytes);
    return () => this.#holds.letGo(path);
  }

  /** The model's files; null when the headers are not there. */
  async file(fingerprint: string): Promise<GgufFile | null> {
    const name = (await readdir(this.folder)).find((each) => each.endsWith(".gguf"));
    const file = name === undefined ? null : await openGguf(join(this.folder, name)).catch(() => null);
    return file?.headerFingerprint === fingerprint ? file : null;
  }

  /** Writes a header, and makes the rest of the file a hole. `bytes`: of the whole file. Throws DISK_FULL. */
  async layOut(part: { readonly number: number; readonly of: number; readonly bytes: number }, header: Uint8Array) {
    const path = join(this.folder, partName(part.number, part.of));
    const handle = await open(path, "a", 0o600);
    await handle.close();
    await truncate(path, part.bytes);
    const writer = await open(path, "r+");
    try {
      await writeBytes(writer, header, { path, position: 0 });
      await writer.datasync();
    } finally {
      await writer.close();
    }
  }

  async fetched(file: Pick<GgufFile, "parts">): Promise<Fetched> {
    const hashes = new Map<string, string>();
    const stamp = await fileStamp(file);
    let sealed: readonly string[] = [];
    for (const line of await readJsonLines(this.#journal)) {
      const { data } = lineSchema.safeParse(line);
      if (data === undefined) continue;
      if ("stamp" in data) sealed = data.stamp === stamp ? data.tensors : [];
      else if (data.sha256 === null) hashes.delete(data.tensor);
      else hashes.set(data.tensor, data.sha256);
    }
    return { hashes, sealed: new Set(sealed) };
  }

  /** Records tensors whose bytes are on the disk; null: they are not. */
  async record(hashes: Iterable<readonly [tensor: string, sha256: string | null]>): Promise<void> {
    await appendJsonLines(
      this.#journal,
      Array.from(hashes, ([tensor, sha256]) => ({ tensor, sha256 })),
    );
  }

  /** Vouches for all tensors that are recorded but these, for as long as nobody writes to the files. */
  async seal(file: Pick<GgufFile, "parts">, doubted: ReadonlySet<string>): Promise<void> {
    const { hashes } = await this.fetched(file);
    const tensors = [...hashes.keys()].filter((tensor) => !doubted.has(tensor));
    await appendJsonLines(this.#journal, [{ stamp: await fileStamp(file), tensors }]);
  }

  /** Whether this process is the one to fetch the tensor. It has to let go. */
  claim(tensor: string): Promise<boolean> {
    return this.#holds.take(this.#claimOf(tensor));
  }

  letGo(tensor: string): void {
    this.#holds.letGo(this.#claimOf(tensor));
  }

  close(): void {
    this.#holds.close();
  }

  get #journal(): string {
    return join(this.folder, "fetched.jsonl");
  }

  #claimOf(tensor: string): string {
    return join(this.folder, CLAIM + encodeURIComponent(tensor));
  }
}

/** Writes all of `bytes`. Throws DISK_FULL, naming the file. */
export async function writeBytes(
  handle: FileHandle,
  bytes: Uint8Array,
  { path, position }: { readonly path: string; readonly position: number },
): Promise<void> {
  try {
    for (let done = 0; done < bytes.length; ) {
      done += (await handle.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
    }
  } catch (cause) {
    throw diskError(cause, path);
  }
}

const five = (number: number): string => String(number).padStart(5, "0");

/** As llama.cpp names the parts of a split model, so that each part's path leads to the others. */
const partName = (number: number, of: number): string =>
  of === 1 ? "model.gguf" : `model-${five(number + 1)}-of-${five(of)}.gguf`;
