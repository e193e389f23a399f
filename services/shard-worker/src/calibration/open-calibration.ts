import { type ConfigOf, type KvTypeName, kvTypeSchema, type Settings, type Shutdown } from "@rhone/common";
import { Backend, openEngine } from "@rhone/ggml";
import { openGguf } from "@rhone/model";
import { rhone } from "@rhone/proto";
import { z } from "zod";
import { shardWorkerSettings } from "../config.js";
import type { LoadedShard } from "../shard/device.js";
import { loadShard } from "../shard/load-shard.js";

export const calibrationSettings = {
  modelPath: { env: "RHONE_MODEL_PATH", schema: z.string().min(1), doc: "The GGUF file." },
  layers: { env: "RHONE_LAYERS", schema: z.coerce.number().int().min(1), doc: "How many layers to time." },
  kvType: { env: "RHONE_KV_TYPE", schema: kvTypeSchema.default("f16"), doc: "f16, f32 or q8_0." },
  slidingWindow: {
    env: "RHONE_SLIDING_WINDOW",
    schema: z.coerce.number().int().min(0).default(0),
    doc: "Positions a token sees; 0 = all.",
  },
  threads: shardWorkerSettings.threads,
  device: shardWorkerSettings.device,
  logLevel: shardWorkerSettings.logLevel,
  ggmlDir: shardWorkerSettings.ggmlDir,
} as const satisfies Settings;

const KV_TYPES: Readonly<Record<KvTypeName, rhone.v1.KvType>> = {
  f16: rhone.v1.KvType.KV_F16,
  f32: rhone.v1.KvType.KV_F32,
  q8_0: rhone.v1.KvType.KV_Q8_0,
};
/** Enough for the most rows that are timed, each with pages of its own. */
const PAGES = 192;
const PAGE_SIZE = 32;

/** The first layers of a model and its head, loaded as a worker loads them. Throws what loadShard and Backend.open throw. */
export async function openCalibration(
  { modelPath: path, layers, kvType, slidingWindow, threads, device, ggmlDir }: ConfigOf<typeof calibrationSettings>,
  shutdown: Shutdown,
): Promise<Pick<LoadedShard, "measure">> {
  const { headerFingerprint: fingerprint } = await openGguf(path);
  const engine = openEngine(ggmlDir === undefined ? {} : { dir: ggmlDir });
  const backend = Backend.open(engine, { device, threads });
  shutdown.add("backend", () => backend.close());
  const load = {
    model: { path, fingerprint },
    firstLayer: 0,
    lastLayer: layers,
    heads: true,
    pages: PAGES,
    pageSize: PAGE_SIZE,
    kvType: KV_TYPES[kvType],
    slidingWindow,
  };
  const { signal } = new AbortController();
  const shard = await loadShard({ engine, backend, modelsDir: undefined, load, onProgress: () => {}, signal });
  shutdown.add("shard", () => shard.close());
  return shard;
}
