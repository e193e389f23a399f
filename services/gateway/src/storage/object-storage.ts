import { randomBytes } from "node:crypto";
import type { Readable } from "node:stream";
import type { z } from "zod";
import { readStored } from "../stored-json.js";

/**
 * Stores files and batches as named objects, each replaced atomically. Keys are paths of one or more names joined by
 * "/". Every call ends within a bounded time, and throws DISK_FULL or, when the storage cannot be reached,
 * STORAGE_UNAVAILABLE.
 */
export interface ObjectStorage {
  readonly pace: StoragePace;
  /** The names of the objects and folders directly in a folder. A folder exists while it contains something. */
  list(folder: string): Promise<readonly string[]>;
  /** null: there is no such object. */
  get(key: string): Promise<Buffer | null>;
  /** Durable when it resolves. */
  put(key: string, text: string): Promise<void>;
  /** Makes an empty object, which a power failure may undo. */
  touch(key: string): Promise<void>;
  /** Does nothing when there is no such object. */
  delete(key: string): Promise<void>;
  /** Streams the bytes. The stream fails when there is no such object. */
  read(key: string): Readable;
  /** When it was written; null when there is no such object. */
  writtenAtMs(key: string): Promise<number | null>;
  /** Begins an object that is written piece by piece. */
  upload(key: string): Promise<ObjectUpload>;
  /** Opens a log whose objects have names that begin with `key`, which must be new. */
  openLog(key: string): Promise<LineLog>;
  /** Removes the remains of unfinished uploads to this folder that began before then. */
  removeUnfinished(folder: string, beforeMs: number): Promise<void>;
  close(): void;
}

/** An object that does not exist for readers until it is finished. One call at a time. */
export interface ObjectUpload {
  write(bytes: Buffer): Promise<void>;
  /** Durable when it resolves. */
  finish(): Promise<void>;
  abort(): Promise<void>;
}

export interface LineLog {
  /** Resolves when there is room for more. Only `sync` makes a line durable; until then a crash may cut it short. */
  append(line: string): Promise<void>;
  sync(): Promise<void>;
  /** Syncs. */
  close(): Promise<void>;
}

/** How often to poll and write: fast enough, and cheap enough where calls cost money. */
export interface StoragePace {
  /** Between searches for batches that no gateway runs. */
  readonly sweepMs: number;
  /** Between writes of a running batch's counts. */
  readonly saveMs: number;
}

/** The record in an object; null when there is no such object. Throws RECORD_UNREADABLE when `schema` refuses it. */
export async function readRecord<S extends z.ZodType>(
  storage: Pick<ObjectStorage, "get">,
  key: string,
  schema: S,
): Promise<z.output<S> | null> {
  const bytes = await storage.get(key);
  return bytes === null ? null : readStored(schema, bytes.toString("utf8"), `The record ${key}`);
}

/** 24 hexadecimal digits that sort by age: 12 of the time in milliseconds, 12 random. */
export const timedId = (nowMs: number = Date.now()): string =>
  nowMs.toString(16).padStart(12, "0") + randomBytes(6).toString("hex");

/** The Unix milliseconds in an id that ends with a timed id. */
export const madeAtMs = (id: string): number => Number.parseInt(id.slice(-24, -12), 16);
