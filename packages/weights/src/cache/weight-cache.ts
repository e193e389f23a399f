import { randomUUID } from "node:crypto";
import { readdir, rename, rm, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { makeFolder, RhoneError } from "@rhone/common";
import { CachedModel, ROOM, USER } from "./cached-model.js";
import { Holds, heldValue } from "./hold.js";

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
  /** What it will have when all that is being fetched is there. */
  readonly finalBytes: number;
  /** Unix milliseconds: each use makes and removes a file in the folder. */
  readonly usedAtMs: number;
}

const EVICTED = ".evicted";
const FINGERPRINT = /^[0-9a-f]{64}$/;
/** What `stat` counts blocks in, on every system. */
const BLOCK_BYTES = 512;
const LOCK = "lock";
/** A process that opens or evicts models has the lock for milliseconds; removing a large model can take seconds. */
const LOOK_MS = 20;
const LOCKED_WITHIN_MS = 180_000;

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
    return this.#alone(() => CachedModel.open(join(this.folder, fingerprint)));
  }

  /**
   * Keeps room for `bytes` more of a model until the returned function is called: removes other models, the one that
   * was used longest ago first and never one in use, and counts what others are fetching. Throws DISK_FULL.
   */
  makeRoom(bytes: number, model: CachedModel): Promise<() => void> {
    return this.#alone(async () => {
      const entries = await this.#entries();
      await this.#evictFor(bytes, entries);
      const { finalBytes = 0 } = entries.find(({ folder }) => folder === model.folder) ?? {};
      return model.announce(finalBytes + bytes);
    });
  }

  async #evictFor(bytes: number, entries: readonly Entry[]): Promise<void> {
    const sum = (of: (entry: Entry) => number): number => entries.reduce((total, entry) => total + of(entry), 0);
    let kept = sum(({ finalBytes }) => finalBytes);
    const coming = sum((entry) => entry.finalBytes - entry.bytes);
    let free = await this.#freeBytes(this.folder);
    const isRoom = (): boolean => kept + bytes <= this.#mostBytes && coming + bytes <= free;
    for (const entry of entries.toSorted((a, b) => a.usedAtMs - b.usedAtMs)) {
      if (isRoom()) return;
      if (!(await evict(entry.folder))) continue;
      kept -= entry.bytes;
      free = await this.#freeBytes(this.folder);
    }
    if (isRoom()) return;
    const others = coming > 0 ? `, of which other models that are being fetched take ${coming}` : "";
    const problem =
      coming + bytes > free
        ? `its disk has ${free} bytes free${others}`
        : `models in use take ${kept} of the ${this.#mostBytes} bytes that it may have (--weights-bytes)`;
    throw new RhoneError("DISK_FULL", `${this.folder} has no room for ${bytes} bytes of weights: ${problem}.`);
  }

  /** Runs `work` while no other process that uses the folder opens or evicts models. */
  async #alone<T>(work: () => Promise<T>): Promise<T> {
    const holds = new Holds();
    const lock = join(this.folder, LOCK);
    try {
      const deadline = performance.now() + LOCKED_WITHIN_MS;
      while (!(await holds.take(lock))) {
        if (performance.now() > deadline) {
          const problem = `${lock} has been held for ${LOCKED_WITHIN_MS / 1000} s by another process`;
          throw new RhoneError("DEADLINE_EXCEEDED", `${problem}; try again.`);
        }
        await sleep(LOOK_MS);
      }
      return await work();
    } finally {
      holds.close();
    }
  }

  async #entries(): Promise<Entry[]> {
    const names = await readdir(this.folder);
    for (const name of names) if (name.includes(EVICTED)) await remove(join(this.folder, name));
    const entries = names.filter((name) => FINGERPRINT.test(name)).map((name) => entryAt(join(this.folder, name)));
    return (await Promise.all(entries)).filter((entry) => entry !== null);
  }
}

/** False when it is in use. To be called by one process at a time, while nobody opens it. */
async function evict(folder: string): Promise<boolean> {
  if (await isUsed(folder)) return false;
  const aside = `${folder}${EVICTED}-${randomUUID()}`;
  // In one step, so that a crash leaves no half of a model.
  const isAside = await rename(folder, aside).then(
    () => true,
    () => false,
  );
  await remove(aside);
  return isAside;
}

/** Null when it has gone meanwhile. Holes of files take no blocks. */
async function entryAt(folder: string): Promise<Entry | null> {
  try {
    const { mtimeMs } = await stat(folder);
    const files = await Promise.all((await readdir(folder)).map((name) => fileAt(folder, name)));
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    return { folder, bytes, finalBytes: Math.max(bytes, ...files.map((file) => file.announced)), usedAtMs: mtimeMs };
  } catch {
    return null;
  }
}

async function fileAt(folder: string, name: string): Promise<{ readonly bytes: number; readonly announced: number }> {
  const path = join(folder, name);
  const announced = name.startsWith(ROOM) ? await heldValue(path) : null;
  const blocks = await stat(path).then(
    (found) => found.blocks,
    () => 0,
  );
  return { bytes: blocks * BLOCK_BYTES, announced: announced ?? 0 };
}

async function isUsed(folder: string): Promise<boolean> {
  const users = (await readdir(folder).catch(() => [])).filter((name) => name.startsWith(USER));
  for (const name of users) if ((await heldValue(join(folder, name))) !== null) return true;
  return false;
}

const remove = (folder: string): Promise<void> => rm(folder, { recursive: true, force: true });

async function freeBytesOf(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}
