import { RhoneError } from "@rhone/common";
import type { FileAmount } from "./file-entry.js";
import type { FileStore } from "./file-store.js";
import type { UnfinishedFile } from "./unfinished-file.js";

/** Room for a file that arrives. */
export interface FileRoom {
  /** To be set once it is created. */
  file: Pick<UnfinishedFile, "id" | "bytes"> | undefined;
  /** Throws FILE_LIMIT_EXCEEDED by all that was stored at the last check, and all that has arrived. */
  refuseMore(): void;
  /** As `refuseMore`, by what is stored now; to be called before the file is committed. */
  check(): Promise<void>;
}

/**
 * How many files an owner may have, and how large they may be together. Files that arrive here count from their first
 * byte, so that many at a time do not fill the disk together. Files that batches write are never refused: an owner
 * without room begins no batch.
 */
export class FileQuota {
  readonly #store: Pick<FileStore, "known">;
  readonly #most: FileAmount;
  /** For what arrives here, by owner. */
  readonly #rooms = new Map<string, Set<FileRoom>>();

  constructor(store: Pick<FileStore, "known">, most: FileAmount) {
    this.#store = store;
    this.#most = most;
  }

  /** Runs `use`, which stores one file. Throws FILE_LIMIT_EXCEEDED when the owner has no room for another. */
  async within<T>(owner: string, use: (room: FileRoom) => Promise<T>): Promise<T> {
    const rooms = this.#rooms.get(owner) ?? new Set();
    this.#rooms.set(owner, rooms);
    let stored = NOTHING;
    const room: FileRoom = {
      file: undefined,
      refuseMore: () => this.#refuse(owner, sumOf(stored, arriving(rooms))),
      check: async () => {
        stored = await this.#storedOf(owner);
        room.refuseMore();
      },
    };
    rooms.add(room);
    try {
      await room.check();
      return await use(room);
    } finally {
      rooms.delete(room);
      if (rooms.size === 0) this.#rooms.delete(owner);
    }
  }

  /** Throws FILE_LIMIT_EXCEEDED when the owner has no room for a file of one byte. */
  async refuseFull(owner: string): Promise<void> {
    this.#refuse(owner, sumOf(await this.#storedOf(owner), { files: 1, bytes: 1 }));
  }

  /** Without those that are being committed, as they count as arriving. */
  async #storedOf(owner: string): Promise<FileAmount> {
    const known = await this.#store.known(owner);
    const committing = new Set([...(this.#rooms.get(owner) ?? [])].map(({ file }) => file?.id));
    const stored = known.filter(({ id }) => !committing.has(id));
    return { files: stored.length, bytes: bytesOf(stored) };
  }

  #refuse(owner: string, { files, bytes }: FileAmount): void {
    const most = this.#most;
    const whose = owner === "" ? "Clients without API keys" : "This API key";
    const advice = "Delete files that are no longer needed, or let new ones expire (expires_after).";
    const refuse = (problem: string): never => {
      throw new RhoneError("FILE_LIMIT_EXCEEDED", `${whose} would have ${problem}. ${advice}`);
    };
    if (files > most.files) refuse(`${files} files, ${most.files} at most (--files-per-key)`);
    if (bytes > most.bytes) refuse(`files of ${bytes} bytes together, ${most.bytes} at most (--file-bytes-per-key)`);
  }
}

const NOTHING: FileAmount = { files: 0, bytes: 0 };

const arriving = (rooms: ReadonlySet<FileRoom>): FileAmount => ({
  files: rooms.size,
  bytes: bytesOf([...rooms].flatMap(({ file }) => file ?? [])),
});

const bytesOf = (files: readonly { readonly bytes: number }[]): number =>
  files.reduce((sum, { bytes }) => sum + bytes, 0);

const sumOf = (a: FileAmount, b: FileAmount): FileAmount => ({ files: a.files + b.files, bytes: a.bytes + b.bytes });
