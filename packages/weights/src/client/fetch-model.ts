import { type Logger, RhoneError } from "@rhone/common";
import type { GgufFile, TensorInfo } from "@rhone/model";
import type { CachedModel } from "../cache/cached-model.js";
import type { WeightCache } from "../cache/weight-cache.js";
import type { HashThread } from "../files/hash-thread.js";
import { ExpectedHashes } from "./expected-hashes.js";
import { type FetchCounts, fetchTensors, type WeightSource } from "./fetch-tensors.js";
import { Tries } from "./tries.js";
import type { WeightsClient } from "./weights-client.js";

/** check: of tensors on the disk, whose hashes are compared. fetch: of tensors that come over the wire. */
export type FetchProgress = (phase: "check" | "fetch", bytes: number, totalBytes: number) => void;

export interface FetchModelRequest {
  readonly fingerprint: string;
  /** The tensors that are needed of the file, whose header is there. */
  readonly wanted: (file: GgufFile) => readonly TensorInfo[];
  readonly cache: WeightCache;
  /** Borrowed. */
  readonly thread: Pick<HashThread, "hash">;
  /** Tells the header and the hashes, and has all weights. */
  readonly origin: WeightsClient;
  /** May have some of them. */
  readonly others: readonly WeightsClient[];
  readonly counts: FetchCounts;
  readonly onProgress: FetchProgress;
  readonly signal: AbortSignal;
  readonly logger: Logger;
  /** The first pause between tries; 200 ms by default. */
  readonly backoffMs?: number | undefined;
}

/** A model's file with the tensors that were asked for. It is kept until `close`. */
export interface FoundModel {
  readonly file: GgufFile;
  /** Names of the tensors that it has; null: all. */
  readonly tensors: ReadonlySet<string> | null;
  readonly close: () => void;
}

/** The largest header that is taken: one of a vocabulary of 256,000 tokens has 15 MB. */
const MOST_HEADER_BYTES = 1 << 28;
const MOST_PARTS = 1000;
/** A process that does not say sooner what it has is left out. */
const DESCRIBED_WITHIN_MS = 5000;

/**
 * The model from the cache, with everything that is wanted: what the cache lacks is fetched. Throws what fetchTensors,
 * WeightCache and WeightsClient throw.
 */
export async function fetchModel(request: FetchModelRequest): Promise<FoundModel> {
  const entry = await request.cache.open(request.fingerprint);
  try {
    const file = (await entry.file(request.fingerprint)) ?? (await fetchHeaders(request, entry));
    const tensors = [...new Map(request.wanted(file).map((info) => [info.name, info])).values()];
    if (tensors.length > 0) await complete(request, { entry, file, tensors });
    const { hashes } = await entry.fetched(file);
    return { file, tensors: new Set(hashes.keys()), close: () => entry.close() };
  } catch (error) {
    entry.close();
    throw error;
  }
}

async function fetchHeaders(request: FetchModelRequest, entry: CachedModel): Promise<GgufFile> {
  const { origin, fingerprint, signal, cache } = request;
  const described = await again(request, () => origin.describe(fingerprint, signal));
  const parts = described.parts ?? [];
  const headerBytes = parts.reduce((sum, part) => sum + (part.headerBytes ?? 0), 0);
  if (parts.length === 0 || parts.length > MOST_PARTS || headerBytes > MOST_HEADER_BYTES) {
    const problem = `${origin.peer} describes a model of ${parts.length} files with headers of ${headerBytes} bytes`;
    throw new RhoneError("MESSAGE_MALFORMED", `${problem}; 1 to ${MOST_PARTS}, and ${MOST_HEADER_BYTES}, are taken.`);
  }
  const giveBack = await cache.makeRoom(headerBytes, entry);
  try {
    for (const [number, part] of parts.entries()) {
      const header = await again(request, () => readHeader(request, number, part.headerBytes ?? 0));
      await entry.layOut({ number, of: parts.length, bytes: part.bytes ?? 0 }, header);
    }
  } finally {
    giveBack();
  }
  const file = await entry.file(fingerprint);
  if (file !== null) return file;
  throw new RhoneError("CHECKSUM_MISMATCH", `The header from ${origin.peer} has not the SHA-256 ${fingerprint}.`);
}

async function readHeader(request: FetchModelRequest, number: number, bytes: number): Promise<Uint8Array> {
  const { origin, fingerprint, signal, counts, onProgress } = request;
  const header = new Uint8Array(bytes);
  let done = 0;
  for await (const { data } of origin.read({ fingerprint, pieces: [{ header: number }] }, signal)) {
    if (data == null) continue;
    if (done + data.length > bytes) throw new RhoneError("MESSAGE_MALFORMED", `${origin.peer} sent too long a header.`);
    header.set(data, done);
    done += data.length;
    counts.received(data.length);
    onProgress("fetch", done, bytes);
  }
  if (done === bytes) return header;
  throw new RhoneError("WORKER_LOST", `${origin.peer} ended its stream after ${done} of ${bytes} bytes of a header.`);
}

/** Tries again while that may help. */
export async function again<T>(
  { signal, backoffMs }: Pick<FetchModelRequest, "signal" | "backoffMs">,
  work: () => Promise<T>,
): Promise<T> {
  const tries = new Tries(backoffMs);
  for (;;) {
    try {
      return await work();
    } catch (error) {
      await tries.after(error, signal);
    }
  }
}

interface Shard {
  readonly entry: CachedModel;
  readonly file: GgufFile;
  readonly tensors: readonly TensorInfo[];
}

async function complete(request: FetchModelRequest, { entry, file, tensors }: Shard): Promise<void> {
  const { origin, fingerprint, signal, cache, onProgress, backoffMs } = request;
  const names = tensors.map(({ name }) => name);
  const expected = new ExpectedHashes({ client: origin, fingerprint, tensors: names, signal, backoffMs });
  try {
    const { missing, doubted, isSealed } = await compare(request, { entry, file, tensors }, expected);
    if (missing.length > 0) {
      const missingBytes = missing.reduce((sum, { bytes }) => sum + bytes, 0);
      const giveBack = await cache.makeRoom(missingBytes, entry);
      try {
        const fetched = (bytes: number, totalBytes: number) => onProgress("fetch", bytes, totalBytes);
        const sources = [{ client: origin, tensors: null }, ...(await describeAll(request))];
        await fetchTensors({ ...request, sources, entry, file, tensors: missing, expected, onProgress: fetched });
      } finally {
        giveBack();
      }
    }
    if (!isSealed) await entry.seal(file, doubted);
  } finally {
    expected.close();
  }
}

interface Comparison {
  readonly missing: readonly TensorInfo[];
  readonly doubted: ReadonlySet<string>;
  readonly isSealed: boolean;
}

/** What the others have. One that has nothing, or is not there, is no source. */
async function describeAll({ others, fingerprint, signal, logger }: FetchModelRequest): Promise<WeightSource[]> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(DESCRIBED_WITHIN_MS)]);
  const described = others.map(async (client): Promise<WeightSource | null> => {
    try {
      const { tensors } = await client.describe(fingerprint, deadline);
      return { client, tensors: tensors?.length ? new Set(tensors) : null };
    } catch (error) {
      logger.debug({ source: client.peer, reason: String(error) }, "no source of weights");
      return null;
    }
  });
  return (await Promise.all(described)).filter((source) => source !== null);
}

/**
 * What is missing of a cached model: tensors that were not fetched, that the coordinator has others of, and that are
 * not what was fetched any more. `doubted`: recorded tensors that nobody looked at. `isSealed`: nothing is new.
 */
async function compare(
  { thread, onProgress, logger, signal }: FetchModelRequest,
  { entry, file, tensors }: Shard,
  expected: ExpectedHashes,
): Promise<Comparison> {
  const { hashes, sealed } = await entry.fetched(file);
  const doubted = new Set([...hashes.keys()].filter((name) => !sealed.has(name)));
  const there = tensors.filter(({ name }) => hashes.has(name));
  const missing = new Set(tensors.filter(({ name }) => !hashes.has(name)));
  const totalBytes = there.reduce((sum, { bytes }) => sum + bytes, 0);
  let bytes = 0;
  for (const info of there) {
    signal.throwIfAborted();
    const { name } = info;
    const progressed = (): void => onProgress("check", bytes, totalBytes);
    const wanted = await expected.of(name, progressed);
    const is = doubted.has(name) ? await thread.hash(entry.folder, info) : hashes.get(name);
    if (is !== hashes.get(name)) {
      logger.warn({ tensor: name, path: info.path, is, was: hashes.get(name) }, "fetched weights were changed on disk");
      await entry.record([[name, null]]);
    }
    doubted.delete(name);
    if (is !== wanted) missing.add(info);
    bytes += info.bytes;
    progressed();
  }
  const isSealed = missing.size === 0 && tensors.every(({ name }) => sealed.has(name));
  return { missing: [...missing], doubted, isSealed };
}
