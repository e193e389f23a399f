import type { Logger, Shutdown } from "@rhone/common";
import { Backend, chooseKernels, openEngine } from "@rhone/ggml";
import { measureSpeed } from "../calibration/measure-speed.js";
import type { ShardWorkerConfig } from "../config.js";
import { WeightPool } from "../model/weight-pool.js";
import type { Device } from "./device.js";
import { holdWeights, loadShard } from "./load-shard.js";

/** Rows that ggml's AMX kernels compute at once. Its other kernels compute 4, which divides this. */
const GGML_ROW_BLOCK = 32;
/** Rhone's own kernels cut any number of rows into equal tiles: each further row costs as much as the one before. */
const OUR_ROW_BLOCK = 1;

export interface DeviceOptions {
  readonly config: Omit<ShardWorkerConfig, "simulate">;
  readonly logger: Logger;
  /** Closes the device. */
  readonly shutdown: Shutdown;
}

/** The device that the settings name. Throws what openEngine, chooseKernels and Backend.open throw. */
export function openGgmlDevice({ config, logger, shutdown }: DeviceOptions): Device {
  const { ggmlDir, device, threads } = config;
  const grammars = {
    compileMs: config.grammarCompileMs,
    maskMs: config.grammarMaskMs,
    memoryBytes: config.grammarMemory,
    threads: config.grammarThreads,
    waitMs: config.grammarWaitMs,
  };
  const engine = openEngine(ggmlDir === undefined ? {} : { dir: ggmlDir });
  const { kernels, notice } = chooseKernels(engine, config.kernels);
  if (notice !== undefined) logger.warn({ err: notice }, "no kernels of our own: ggml computes, and more slowly");
  const backend = Backend.open(engine, { device, threads, kernels });
  shutdown.add("backend", () => backend.close());
  const pool = new WeightPool(backend);
  const { kind, memoryFree } = backend.device;
  return {
    facts: {
      engine: engine.version,
      device: backend.device.name,
      kernels: backend.kernels?.variant ?? "ggml",
      simulated: false,
      rowBlock: backend.kernels === undefined ? GGML_ROW_BLOCK : OUR_ROW_BLOCK,
      ...measureSpeed(backend),
    },
    memoryFree: kind === "cpu" || memoryFree === 0 ? null : memoryFree,
    get weightBytes() {
      return pool.bytes;
    },
    load: (request) => loadShard({ engine, backend, pool, grammars, ...request }),
    hold: (request) => holdWeights({ pool, ...request }),
  };
}
