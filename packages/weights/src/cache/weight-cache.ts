import { randomUUID } from "node:crypto";
import { readdir, rename, rm, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { makeFolder, RhoneError } from "@rhone/common";
import { CachedModel, USER } from "./cached-model.js";
import { isHeld } from "./hold.js";

export interface WeightCacheOptions {
  /** Made when it is first needed; several processes share it. */
  readonly folder: string;
  /** Most bytes that are kept. */
  readonly mostBytes: number;
  /** Bytes that are free on the disk of a folder; default: as the system says. */
  readonly freeBytes?: (folder: string) => Promise<number>;
}

interface Entry {
  readonly folder: string;
  readonly bytes: number;
  /** Unix milliseconds: each use makes and removes a file in the folder. */
  readonly usedAtMs: number;
}

const EVICTED = ".evicted";
const FINGERPRINT = /^[0-9a-f]{64}$/;
/** What `stat` counts blocks in, on every system. */
const BLOCK_BYTES = 512;

/** Fetched models on disk, each in a folder that is named after its header's SHA-256. */
export class WeightCache {
  readonly folder: string;
  readonly #mostBytes: number;
  readonly #freeBytes: (folder: string) => Promise<number>;

  constructor({ folder, mostBytes, freeBytes = freeBytesOf }: WeightCacheOptions) {
    this.folder = folder;
    this.#mostBytes = mostBytes;
    this.#freeBytes = freeBytes;
  }

  /** A model, in use until it is closed. Throws INVALID_REQUEST for what is no fingerprint, INVALID_CONFIG. */
  async open(fingerprint: string): Promise<CachedModel> {
    if (!FINGERPRINT.test(fingerprint)) {
      throw new RhoneError("INVALID_REQUEST", `"${fingerprint}" is not a SHA-256 in hexadecimal digits.`);
    }
    await makeFolder(this.folder, 0o700).catch((cause: Error) => {
      const problem = `The folder of fetched weights ${this.folder} can't be created (${cause.message})`;
      throw new RhoneError("INVALID_CONFIG", `${problem}. Choose another with --weights-dir.`, { cause });
    });
    return CachedModel.open(join(this.folder, fingerprint));
  }

  /**
   * Removes models, the one that was used longest ago first and never one in use, until there is room for `bytes` more.
   * The limit is looked at when a fetch begins: two that begin at once may exceed it together. Throws DISK_FULL.
   */
  async makeRoom(bytes: number): Promise<void> {
    const entries = (await this.#entries()).sort((a, b) => a.usedAtMs - b.usedAtMs);
    let kept = entries.reduce((sum, entry) => sum + entry.bytes, 0);
    let free = await this.#freeBytes(this.folder);
    const isRoom = (): boolean => kept + bytes <= this.#mostBytes && bytes <= free;
    for (const entry of entries) {
      if (isRoom()) return;
      if (!(await this.#evict(entry.folder))) continue;
      kept -= entry.bytes;
      free = await this.#freeBytes(this.folder);
    }
    if (isRoom()) return;
    const problem =
      bytes > free
        ? `its disk has ${free} bytes free`
        : `models in use take ${kept} of the ${this.#mostBytes} bytes that it may have (--weights-bytes)`;
    throw new RhoneError("DISK_FULL", `${this.folder} has no room for ${bytes} bytes of weights: ${problem}.`);
  }

  async #entries(): Promise<Entry[]> {
    const names = await readdir(this.folder);
    for (const name of names) if (name.includes(EVICTED)) await remove(join(this.folder, name));
    const entries = names.filter((name) => FINGERPRINT.test(name)).map((name) => entryAt(join(this.folder, name)));
    return (await Promise.all(entries)).filter((entry) => entry !== null);
  }

  /** False when it is in use. */
  async #evict(folder: string): Promise<boolean> {
    if (await isUsed(folder)) return false;
    const aside = `${folder}${EVICTED}-${randomUUID()}`;
    await rename(folder, aside).catch(() => {});
    // Somebody may have begun to use it just before: that one goes on with it, or with a new folder.
    if (
      (await isUsed(aside)) &&
      (await rename(aside, folder).then(
        () => true,
        () => false,
      ))
    )
      return false;
    await remove(aside);
    return true;
  }
}

/** Null when it has gone meanwhile. Holes of files take no blocks. */
async function entryAt(folder: string): Promise<Entry | null> {
  try {
    const { mtimeMs } = await stat(folder);
    const sizes = (await readdir(folder)).map((name) =>
      stat(join(folder, name)).then(
        ({ blocks }) => blocks * BLOCK_BYTES,
        () => 0,
      ),
    );
    const bytes = (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
    return { folder, bytes, usedAtMs: mtimeMs };
  } catch {
    return null;
  }
}

async function isUsed(folder: string): Promise<boolean> {
  const users = (await readdir(folder).catch(() => [])).filter((name) => name.startsWith(USER));
  for (const name of users) if (await isHeld(join(folder, name))) return true;
  return false;
}

const remove = (folder: string): Promise<void> => rm(folder, { recursive: true, force: true });

async function freeBytesOf(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}
