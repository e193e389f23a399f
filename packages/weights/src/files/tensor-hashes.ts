import { createHash } from "node:crypto";
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { clipped, makeFolder, RhoneError } from "@rhone/common";
import type { GgufFile } from "@rhone/model";
import { z } from "zod";
import { fileStamp } from "./file-stamp.js";
import type { HashThread } from "./hash-thread.js";
import { appendJsonLines, readJsonLines } from "./json-lines.js";

/** A model's file, as its weights are read: no metadata. */
export type WeightsFile = Pick<GgufFile, "path" | "parts" | "tensors" | "headerFingerprint">;

/** Metadata takes some MB in memory. */
export const weightsFile = ({ path, parts, tensors, headerFingerprint }: GgufFile): WeightsFile => ({
  path,
  parts,
  tensors,
  headerFingerprint,
});

export interface TensorHashesOptions {
  readonly file: WeightsFile;
  /** Borrowed. */
  readonly thread: Pick<HashThread, "hash">;
  /** Where hashes are kept for the next process; null: nowhere. */
  readonly folder: string | null;
}

/** Records of files that are kept, 30 KB each for 7B; beyond them those that were written longest ago go. */
const MOST_RECORDS = 64;
const ENDING = ".sha256.jsonl";
const lineSchema = z.tuple([z.string(), z.string().regex(/^[0-9a-f]{64}$/)]);

/**
 * The SHA-256 of a file's tensors, each computed when it is first asked for, and kept on disk, where that is possible,
 * for as long as the file is the same.
 */
export class TensorHashes {
  readonly #file: WeightsFile;
  readonly #thread: TensorHashesOptions["thread"];
  readonly #stamp: string;
  readonly #record: string | null;
  readonly #known: Map<string, string>;
  readonly #pending = new Map<string, Promise<string>>();

  private constructor(
    { file, thread }: TensorHashesOptions,
    kept: { readonly stamp: string; readonly record: string | null; readonly known: Map<string, string> },
  ) {
    this.#file = file;
    this.#thread = thread;
    this.#stamp = kept.stamp;
    this.#record = kept.record;
    this.#known = kept.known;
  }

  static async open(options: TensorHashesOptions): Promise<TensorHashes> {
    const { file, folder } = options;
    const stamp = await fileStamp(file);
    const short = (text: string): string => text.slice(0, 16);
    const name = `${short(file.headerFingerprint)}-${short(createHash("sha256").update(stamp).digest("hex"))}${ENDING}`;
    const record = folder === null ? null : await place(folder, name);
    const lines = record === null ? [] : await readJsonLines(record);
    const pairs = lines.flatMap((line) => {
      const { data } = lineSchema.safeParse(line);
      return data === undefined ? [] : [data];
    });
    return new TensorHashes(options, { stamp, record, known: new Map(pairs) });
  }

  /** Whether it is known without reading the file. */
  knows(name: string): boolean {
    return this.#known.has(name);
  }

  /**
   * SHA-256 of a tensor of the file, hex. `owner`: those who wait take turns by it. Throws MODEL_MISMATCH when the file
   * was changed since it was opened, and what HashThread.hash throws.
   */
  async of(owner: string, name: string): Promise<string> {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const pending = this.#pending.get(name) ?? this.#compute(owner, name);
    this.#pending.set(name, pending);
    try {
      return await pending;
    } finally {
      this.#pending.delete(name);
    }
  }

  async #compute(owner: string, name: string): Promise<string> {
    const info = this.#file.tensors.get(name);
    if (info === undefined)
      throw new RhoneError("NOT_FOUND", `${this.#file.path} has no tensor ${clipped(name, 200)}.`);
    const hash = await this.#thread.hash(owner, info);
    if ((await fileStamp(this.#file)) !== this.#stamp) {
      throw new RhoneError("MODEL_MISMATCH", `${this.#file.path} was changed while it was in use; start again.`);
    }
    this.#known.set(name, hash);
    if (this.#record !== null) await appendJsonLines(this.#record, [[name, hash]]).catch(() => {});
    return hash;
  }
}

/** The path of a record in `folder`, once the oldest beyond MOST_RECORDS are removed; null where it has no folder. */
async function place(folder: string, name: string): Promise<string | null> {
  try {
    await makeFolder(folder, 0o700);
    const records = (await readdir(folder)).filter((each) => each.endsWith(ENDING) && each !== name);
    const dated = await Promise.all(
      records.map(async (each) => ({ path: join(folder, each), at: (await stat(join(folder, each))).mtimeMs })),
    );
    const old = dated.sort((a, b) => b.at - a.at).slice(MOST_RECORDS - 1);
    for (const { path } of old) await rm(path, { force: true });
    return join(folder, name);
  } catch {
    return null;
  }
}
