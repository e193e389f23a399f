import { createHash, type Hash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { type Logger, RhoneError, toRhoneError } from "@rhone/common";
import type { GgufFile, TensorInfo } from "@rhone/model";
import { type CachedModel, writeBytes } from "../cache/cached-model.js";
import type { ExpectedHashes } from "./expected-hashes.js";
import { Tries } from "./tries.js";
import type { WeightsClient } from "./weights-client.js";

/** A process that has weights. */
export interface WeightSource {
  readonly client: Pick<WeightsClient, "read" | "peer">;
  /** Names of the tensors that it has; null: all. */
  readonly tensors: ReadonlySet<string> | null;
}

export interface FetchCounts {
  /** Bytes of weights came. */
  readonly received: (bytes: number) => void;
  /** A tensor came whole, but with another hash than the coordinator's. */
  readonly wrong: () => void;
}

export interface FetchOptions {
  readonly entry: CachedModel;
  /** In the entry. */
  readonly file: Pick<GgufFile, "parts" | "headerFingerprint">;
  /** What is missing of it. */
  readonly tensors: readonly TensorInfo[];
  readonly sources: readonly WeightSource[];
  readonly expected: ExpectedHashes;
  readonly counts: FetchCounts;
  readonly onProgress: (bytes: number, totalBytes: number) => void;
  readonly signal: AbortSignal;
  readonly logger: Logger;
  readonly backoffMs?: number | undefined;
}

/** Tensors are asked for in batches; each is written to the disk before it counts. */
const BATCH_BYTES = 16 << 20;
/** While one batch is being written to the disk, the next one comes. */
const LANES = 2;
const MOST_WRONG = 3;
/** What no other source would mend. */
const OWN_FAILURES: ReadonlySet<string> = new Set(["DISK_FULL", "INVALID_CONFIG", "INTERNAL"]);
/** How often to look whether another process has fetched what it claims. */
const LOOK_MS = 200;

/**
 * Fetches tensors into a cached model, from all sources at once: each takes the next batch that it has. A tensor counts
 * once its SHA-256 is the coordinator's; with another it is fetched again. Tensors that another process is fetching are
 * waited for. A source that sends a tensor wrong three times, or fails, is given up. Throws DISK_FULL, the signal's
 * reason, and the error of the last source when all of them have failed. What came until then is kept.
 */
export async function fetchTensors(options: FetchOptions): Promise<void> {
  const handles = new Map<string, FileHandle>();
  try {
    for (const { path } of options.file.parts) handles.set(path, await open(path, "r+"));
    await new TensorFetch(options, handles).run();
  } finally {
    for (const handle of handles.values()) await handle.close();
  }
}

/** A tensor on its way. */
interface Receipt {
  readonly info: TensorInfo;
  readonly hash: Hash;
  /** Bytes that came so far. */
  bytes: number;
}

class TensorFetch {
  readonly #options: FetchOptions;
  readonly #handles: ReadonlyMap<string, FileHandle>;
  readonly #totalBytes: number;
  /** Not fetched yet, those that are on their way included. */
  readonly #missing: Map<string, TensorInfo>;
  readonly #taken = new Set<string>();
  /** How often each tensor came with a wrong hash, by source. */
  readonly #wrong = new Map<string, number>();
  readonly #stopping = new AbortController();
  readonly #signal: AbortSignal;
  #bytes = 0;

  constructor(options: FetchOptions, handles: ReadonlyMap<string, FileHandle>) {
    this.#options = options;
    this.#handles = handles;
    this.#missing = new Map(options.tensors.map((info) => [info.name, info]));
    this.#totalBytes = options.tensors.reduce((sum, { bytes }) => sum + bytes, 0);
    this.#signal = AbortSignal.any([options.signal, this.#stopping.signal]);
  }

  async run(): Promise<void> {
    this.#moved(0);
    const { sources, signal } = this.#options;
    const lanes = sources.flatMap((source) => Array.from({ length: LANES }, () => this.#lane(source)));
    const ends = await Promise.allSettled(lanes);
    signal.throwIfAborted();
    this.#stopping.signal.throwIfAborted();
    const failed = ends.findLast((end) => end.status === "rejected");
    if (this.#missing.size > 0) throw failed?.reason ?? new RhoneError("NOT_FOUND", "No process has these weights.");
  }

  /** Ends when nothing is left that the source has. Throws when the source fails. */
  async #lane(source: WeightSource): Promise<void> {
    const has = (name: string): boolean => source.tensors?.has(name) ?? true;
    try {
      while ([...this.#missing.keys()].some(has)) {
        const batch = await this.#take(has);
        if (batch.length > 0) await this.#fetch(source, batch);
        else await this.#lookAgain();
      }
    } catch (error) {
      this.#signal.throwIfAborted();
      if (OWN_FAILURES.has(toRhoneError(error).code)) this.#stopping.abort(error);
      const { peer } = source.client;
      this.#options.logger.warn({ source: peer, reason: String(error) }, "a source of weights failed");
      throw error;
    }
  }

  /** Tensors that nobody else is fetching, of BATCH_BYTES together or a single larger one. */
  async #take(has: (name: string) => boolean): Promise<readonly TensorInfo[]> {
    const batch: TensorInfo[] = [];
    let bytes = 0;
    for (const info of this.#missing.values()) {
      if (batch.length > 0 && bytes + info.bytes > BATCH_BYTES) break;
      if (!has(info.name) || this.#taken.has(info.name)) continue;
      this.#taken.add(info.name);
      if (await this.#options.entry.claim(info.name)) {
        batch.push(info);
        bytes += info.bytes;
      } else this.#taken.delete(info.name);
    }
    const wanted: TensorInfo[] = [];
    try {
      await this.#dropFetched(batch);
      wanted.push(...batch.filter(({ name }) => this.#missing.has(name)));
    } finally {
      for (const info of batch) if (!wanted.includes(info)) this.#letGo(info.name);
    }
    return wanted;
  }

  #letGo(name: string): void {
    this.#taken.delete(name);
    this.#options.entry.letGo(name);
  }

  async #lookAgain(): Promise<void> {
    await sleep(LOOK_MS, undefined, { signal: this.#signal }).catch(() => this.#signal.throwIfAborted());
    const others = [...this.#missing.values()].filter(({ name }) => !this.#taken.has(name));
    if (others.length > 0) await this.#dropFetched(others);
    this.#moved(0);
  }

  /** Forgets tensors that another process has fetched meanwhile. */
  async #dropFetched(tensors: readonly TensorInfo[]): Promise<void> {
    const { hashes } = await this.#options.entry.fetched(this.#options.file);
    for (const { name, bytes } of tensors) {
      const fetched = hashes.get(name);
      if (fetched === undefined || fetched !== (await this.#options.expected.of(name))) continue;
      if (this.#missing.delete(name)) this.#moved(bytes);
    }
  }

  async #fetch(source: WeightSource, batch: readonly TensorInfo[]): Promise<void> {
    const pending = batch.map((info): Receipt => ({ info, hash: createHash("sha256"), bytes: 0 }));
    const whole: Receipt[] = [];
    try {
      const tries = new Tries(this.#options.backoffMs);
      while (pending.length > 0) {
        try {
          await this.#receive(source, { pending, whole, tries });
        } catch (error) {
          await tries.after(error, this.#signal);
        }
      }
      for (const { info } of whole) await this.#options.expected.of(info.name, () => this.#moved(0));
    } finally {
      for (const { bytes } of pending) this.#moved(-bytes);
      await this.#keep(source, whole).finally(() => {
        for (const { name } of batch) this.#letGo(name);
      });
    }
  }

  /** Goes on where the last try stopped. */
  async #receive(
    { client }: WeightSource,
    { pending, whole, tries }: { readonly pending: Receipt[]; readonly whole: Receipt[]; readonly tries: Tries },
  ): Promise<void> {
    const { file, counts } = this.#options;
    const pieces = pending.map(({ info, bytes }) => ({ tensor: info.name, from: bytes }));
    for await (const { data } of client.read({ fingerprint: file.headerFingerprint, pieces }, this.#signal)) {
      tries.moved();
      counts.received(data?.length ?? 0);
      for (let rest = data ?? new Uint8Array(); rest.length > 0; ) {
        const [receipt] = pending;
        if (receipt === undefined)
          throw new RhoneError("MESSAGE_MALFORMED", `${client.peer} sent more than was asked for.`);
        const { info } = receipt;
        const part = rest.subarray(0, info.bytes - receipt.bytes);
        const position = info.offset + receipt.bytes;
        await writeBytes(this.#handles.get(info.path) as FileHandle, part, { path: info.path, position });
        receipt.hash.update(part);
        receipt.bytes += part.length;
        this.#moved(part.length);
        rest = rest.subarray(part.length);
        if (receipt.bytes === info.bytes) whole.push(...pending.splice(0, 1));
      }
    }
    if (pending.length === 0) return;
    throw new RhoneError("WORKER_LOST", `${client.peer} ended its stream inside ${pending[0]?.info.name}.`);
  }

  /** Records those that have the right hash, once they are on the disk. Throws CHECKSUM_MISMATCH. */
  async #keep({ client }: WeightSource, whole: readonly Receipt[]): Promise<void> {
    const { expected, entry } = this.#options;
    const came = whole.map(({ info, hash }) => ({ info, name: info.name, sha256: hash.digest("hex") }));
    const isRight = ({ name, sha256 }: (typeof came)[number]): boolean => sha256 === expected.known(name);
    const right = came.filter(isRight);
    if (right.length > 0) {
      for (const handle of this.#handles.values()) await handle.datasync();
      await entry.record(right.map(({ name, sha256 }) => [name, sha256]));
      for (const { name } of right) this.#missing.delete(name);
    }
    for (const { info, sha256 } of came.filter((each) => !isRight(each))) {
      this.#moved(-info.bytes);
      // Not known: the coordinator was lost before it told the hash.
      const known = expected.known(info.name);
      if (known !== undefined) this.#refuse(info.name, { came: sha256, expected: known, peer: client.peer });
    }
  }

  #refuse(name: string, { came, expected, peer }: { came: string; expected: string; peer: string }): void {
    const key = `${peer} ${name}`;
    const times = (this.#wrong.get(key) ?? 0) + 1;
    this.#wrong.set(key, times);
    this.#options.counts.wrong();
    const problem = `${name} came from ${peer} with the SHA-256 ${came}, but it is ${expected} in the coordinator's file`;
    this.#options.logger.warn(
      { tensor: name, source: peer, came, expected, times },
      "weights were damaged on their way",
    );
    if (times < MOST_WRONG) return;
    throw new RhoneError("CHECKSUM_MISMATCH", `${problem}, ${times} times. Check the memory and the disks of both.`);
  }

  #moved(bytes: number): void {
    this.#bytes += bytes;
    this.#options.onProgress(this.#bytes, this.#totalBytes);
  }
}
