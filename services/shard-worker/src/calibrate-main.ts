// Times a few layers and the head of a model for `rhone plan`, without a cluster.
import {
  type CalibrationAnswer,
  type CalibrationOrder,
  type ConfigOf,
  type KvTypeName,
  type Shutdown,
  serviceMain,
} from "@rhone/common";
import { Backend, chooseKernels, type Engine, GgmlType, openEngine } from "@rhone/ggml";
import { openGguf } from "@rhone/model";
import { fileAtPath } from "@rhone/weights";
import { CoreWait } from "./calibration/core-wait.js";
import { calibrationSettings } from "./config.js";
import type { LoadedShard, LoadProgress } from "./shard/device.js";
import { loadShard } from "./shard/load-shard.js";

const KV_TYPES: Readonly<Record<KvTypeName, GgmlType>> = { f16: GgmlType.F16, f32: GgmlType.F32, q8_0: GgmlType.Q8_0 };
/** Enough for 48 rows, each with 4 pages of its own. */
const PAGES = 192;
const PAGE_SIZE = 32;

const answer = (message: CalibrationAnswer): void => void process.send?.(message);

await serviceMain({ service: "calibration", settings: calibrationSettings }, async (config, { shutdown }) => {
  const opened = openBackend(config, shutdown);
  const shard = await loadFirstLayers(config, opened, shutdown);
  process.on("message", async ({ rows }: CalibrationOrder) => {
    const wait = new CoreWait();
    const stepTimes = await shard.measure(rows);
    answer({ kind: "measured", stepTimes, waited: wait.share() });
  });
  answer({ kind: "loaded", kernels: opened.backend.kernels?.variant ?? "ggml" });
});

type CalibrationConfig = ConfigOf<typeof calibrationSettings>;

interface OpenedBackend {
  readonly engine: Engine;
  readonly backend: Backend;
}

function openBackend({ ggmlDir, device, threads, kernels }: CalibrationConfig, shutdown: Shutdown): OpenedBackend {
  const engine = openEngine(ggmlDir === undefined ? {} : { dir: ggmlDir });
  const backend = Backend.open(engine, { device, threads, kernels: chooseKernels(engine, kernels).kernels });
  shutdown.add("backend", () => backend.close());
  return { engine, backend };
}

/** The first layers of a model and its head, loaded as a worker loads them. */
async function loadFirstLayers(
  { modelPath: path, layers, kvType, slidingWindow }: CalibrationConfig,
  opened: OpenedBackend,
  shutdown: Shutdown,
): Promise<LoadedShard> {
  const { headerFingerprint: fingerprint } = await openGguf(path);
  const order = {
    model: { name: path, path, fingerprint, stamp: "", origin: "", sources: [] },
    range: { first: 0, last: layers, embeds: false, heads: true },
    pages: PAGES,
    pageSize: PAGE_SIZE,
    kvType: KV_TYPES[kvType],
    slidingWindow,
    maxRows: PAGES,
  };
  const { signal } = new AbortController();
  const onProgress: LoadProgress = (_phase, bytes, totalBytes) => answer({ kind: "loading", bytes, totalBytes });
  const shard = await loadShard({ ...opened, order, files: fileAtPath, onProgress, signal });
  shutdown.add("shard", () => shard.close());
  return shard;
}
