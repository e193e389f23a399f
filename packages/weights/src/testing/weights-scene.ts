import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { join } from "node:path";
import type { ServerWritableStream } from "@grpc/grpc-js";
import {
  GrpcServer,
  type Logger,
  loadConfig,
  openSecurity,
  type ReadWeights,
  securitySettings,
  type WeightBytes,
  weightsService,
} from "@rhone/common";
import {
  type GgufFile,
  openGguf,
  readModelConfig,
  type ShardRange,
  type TensorInfo,
  tensorsOfShard,
} from "@rhone/model";
import { onTestFinished, vi } from "vitest";
import { llama } from "../../../model/src/architectures/llama.js";
import { TINY_SHAPE, writeRandomModel } from "../../../model/src/testing/random-model.js";
import { scratchFolder } from "../../../model/src/testing/scratch-folder.js";
import { WeightCache, type WeightCacheOptions } from "../cache/weight-cache.js";
import { type FetchModelRequest, fetchModel } from "../client/fetch-model.js";
import { WeightsClient } from "../client/weights-client.js";
import type { Extent } from "../files/hash-thread.js";
import { TensorHashes } from "../files/tensor-hashes.js";
import { FairRate } from "../server/fair-rate.js";
import { type ServedWeights, WeightServer } from "../server/weight-server.js";

/** Without TLS and without a secret. */
export const PLAINTEXT = openSecurity(loadConfig(securitySettings, { RHONE_ALLOW_PLAINTEXT: "true" }, []));

/** A model whose layers have 1.8 MB each, the header 4 KB. */
export const MODEL = { ...TINY_SHAPE, dim: 256, hiddenDim: 512, nLayers: 4, architecture: llama };

export const writeModel = async (seed = 1): Promise<GgufFile> => openGguf((await writeRandomModel(MODEL, seed)).path);

/** Hashes in the thread of the test: the package's own thread runs compiled files. */
export const testThread = {
  hash: async (_owner: string, { path, offset, bytes }: Extent): Promise<string> => {
    const handle = await open(path, "r");
    try {
      const { buffer } = await handle.read(Buffer.alloc(bytes), 0, bytes, offset);
      return createHash("sha256").update(buffer).digest("hex");
    } finally {
      await handle.close();
    }
  },
};

/** The tensors of layers [first, last), as a shard wants them. */
export const layers =
  (first: number, last: number, ends: Partial<ShardRange> = {}) =>
  (file: GgufFile): readonly TensorInfo[] =>
    tensorsOfShard(readModelConfig(file), file, { first, last, embeds: false, heads: false, ...ends }).map(
      ({ info }) => info,
    );

export const bytesOf = (tensors: readonly TensorInfo[]): number => tensors.reduce((sum, { bytes }) => sum + bytes, 0);

export function fakeLogger() {
  const logger = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
  return { logger: logger as unknown as Logger, warnings: () => logger.warn.mock.calls };
}

type ReadCall = ServerWritableStream<ReadWeights, WeightBytes>;

/** Serves a file, for the time of the test. `damage` may change what is sent. Returns host:port. */
export async function serveWeights(
  file: GgufFile,
  changes: Partial<ServedWeights> & {
    readonly damage?: (message: WeightBytes, query: ReadWeights) => WeightBytes;
  } = {},
): Promise<string> {
  const { damage, ...served } = changes;
  const hashes = await TensorHashes.open({ file, thread: testThread, folder: null });
  const { handlers } = new WeightServer({
    served: async () => ({ name: "m", file, tensors: null, hashes, ...served }),
    rate: new FairRate(() => Number.POSITIVE_INFINITY),
    onSent: () => {},
    logger: fakeLogger().logger,
  });
  const read = (call: ReadCall): void => {
    const write = call.write.bind(call) as (message: WeightBytes) => boolean;
    if (damage !== undefined) call.write = ((message: WeightBytes) => write(damage(message, call.request))) as never;
    handlers.read(call);
  };
  const server = await GrpcServer.open({ host: "127.0.0.1", port: 0, security: PLAINTEXT }, (services) =>
    services.addService(weightsService, { ...handlers, read }),
  );
  onTestFinished(() => server.close());
  return `127.0.0.1:${server.port}`;
}

export function openClient(
  address: string,
  role: "coordinator" | "worker" = "coordinator",
  stallMs = 5000,
): WeightsClient {
  const client = new WeightsClient({ address, role, security: PLAINTEXT, stallMs });
  onTestFinished(() => client.close());
  return client;
}

/** A cache in a folder of its own. */
export async function openCache(options: Partial<WeightCacheOptions> = {}): Promise<WeightCache> {
  return new WeightCache({ folder: join(await scratchFolder(), "weights"), mostBytes: 1e9, ...options });
}

/** Fetches as a worker does; counts what comes. */
export function fetcher(file: GgufFile, address: string, cache: WeightCache) {
  const client = openClient(address);
  const { logger, warnings } = fakeLogger();
  const counted = { received: 0, wrong: 0, progress: [] as Parameters<FetchModelRequest["onProgress"]>[] };
  const fetch = async (changes: Partial<FetchModelRequest> = {}) => {
    const found = await fetchModel({
      fingerprint: file.headerFingerprint,
      wanted: layers(0, 2),
      cache,
      thread: testThread,
      origin: client,
      others: [],
      counts: {
        received: (bytes) => {
          counted.received += bytes;
        },
        wrong: () => {
          counted.wrong++;
        },
      },
      onProgress: (...progress) => counted.progress.push(progress),
      signal: new AbortController().signal,
      logger,
      backoffMs: 1,
      ...changes,
    });
    onTestFinished(() => found.close());
    return found;
  };
  return { fetch, client, counted, warnings };
}

/** What the bytes of tensors are, by name: comparing megabytes takes vitest seconds. */
export async function hashesOf(tensors: readonly TensorInfo[]): Promise<Record<string, string>> {
  const hashes = tensors.map(async (info) => [info.name, await testThread.hash("", info)] as const);
  return Object.fromEntries(await Promise.all(hashes));
}

/** Changes the byte in the middle of a tensor on disk. */
export async function damageTensor({ path, offset, bytes }: TensorInfo): Promise<void> {
  const handle = await open(path, "r+");
  const position = offset + Math.floor(bytes / 2);
  const byte = Buffer.alloc(1);
  await handle.read(byte, 0, 1, position);
  byte[0] = (byte[0] ?? 0) ^ 1;
  await handle.write(byte, 0, 1, position);
  await handle.close();
}
