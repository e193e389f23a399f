import { randomBytes } from "node:crypto";
import type { Readable } from "node:stream";

/**
 * Where files and batches are kept: named objects, each replaced whole or not at all. Keys are paths with "/", the last part of
 * each without one. Every call ends within a bounded time. Throws DISK_FULL, and STORAGE_UNAVAILABLE when it can't be reached.
 */
export interface ObjectStorage {
  readonly pace: StoragePace;
  /** Names directly in a folder, of objects and of folders; a folder is there when something is in it. */
  list(folder: string): Promise<readonly string[]>;
  /** null: there is no such object. */
  get(key: string): Promise<Buffer | null>;
  /** Durable when it resolves. */
  put(key: string, text: string): Promise<void>;
  /** Also of nothing. */
  delete(key: string): Promise<void>;
  /** The bytes as they come. The stream fails when there is no such object. */
  read(key: string): Readable;
  /** When it was written; null when there is no such object. */
  writtenAtMs(key: string): Promise<number | null>;
  /** An object that is written as its bytes come. */
  upload(key: string): Promise<ObjectUpload>;
  /** Lines that are kept under names which begin with `key`, a name that nobody used before. */
  openLog(key: string): Promise<LineLog>;
  /** Removes what uploads to this folder left behind that began before and never ended. */
  removeUnfinished(folder: string, beforeMs: number): Promise<void>;
  close(): void;
}

/** An object that nobody sees until it is finished. One call at a time. */
export interface ObjectUpload {
  write(bytes: Buffer): Promise<void>;
  /** Durable when it resolves. */
  finish(): Promise<void>;
  abort(): Promise<void>;
}

export interface LineLog {
  /** Resolves when there is room for more. The line is kept for sure after `sync`; a line that was not may be cut. */
  append(line: string): Promise<void>;
  sync(): Promise<void>;
  /** Syncs. */
  close(): Promise<void>;
}

/** How often one may look and write without being slow or, where calls cost money, dear. */
export interface StoragePace {
  /** Between looks for batches that nobody runs. */
  readonly sweepMs: number;
  /** Between writings of a running batch's counts. */
  readonly saveMs: number;
}

/** The JSON value of an object; null when there is no such object. */
export async function readJson<T>(storage: Pick<ObjectStorage, "get">, key: string): Promise<T | null> {
  const bytes = await storage.get(key);
  return bytes === null ? null : (JSON.parse(bytes.toString("utf8")) as T);
}

/** 24 hexadecimal digits that sort by age: 12 of the time in milliseconds, 12 random. */
export const timedId = (nowMs: number = Date.now()): string =>
  nowMs.toString(16).padStart(12, "0") + randomBytes(6).toString("hex");

/** The Unix milliseconds in an id that ends with a timed id. */
export const madeAtMs = (id: string): number => Number.parseInt(id.slice(-24, -12), 16);
