import { idIn, type OwnedName } from "../storage/owned-names.js";
import type { FileRecord } from "./file-record.js";

/** As much of a file's record as lists and bounds need to choose files by. */
export interface FileEntry extends Pick<FileRecord, "id" | "bytes" | "expiresAt"> {
  readonly purpose: string;
}

/** A number of files, and their bytes together. */
export interface FileAmount {
  readonly files: number;
  readonly bytes: number;
}

/** `ID.PURPOSE.BYTES`, and `.EXPIRESAT` where it expires. */
export function nameOf({ id, owner = "", purpose, bytes, expiresAt }: FileRecord): OwnedName {
  return { owner, name: [id, purpose, bytes, ...(expiresAt === null ? [] : [expiresAt])].join(".") };
}

export function readName(name: string): FileEntry {
  const [, purpose = "", bytes, expiresAt] = name.split(".");
  return {
    id: idIn(name),
    purpose,
    bytes: Number(bytes),
    expiresAt: expiresAt === undefined ? null : Number(expiresAt),
  };
}

export const isExpired = ({ expiresAt }: Pick<FileEntry, "expiresAt">, nowMs: number = Date.now()): boolean =>
  expiresAt !== null && expiresAt * 1000 <= nowMs;
