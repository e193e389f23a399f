import type { Shutdown } from "@rhone/common";
import { Backend, openEngine } from "@rhone/ggml";
import { measureSpeed } from "../calibration/measure-speed.js";
import type { ShardWorkerConfig } from "../config.js";
import type { Device } from "./device.js";
import { loadShard } from "./load-shard.js";

/** Rows that ggml's AMX kernels compute at once. Its other kernels compute 4, which divides this. */
const ROW_BLOCK = 32;

/** The device that the settings name. `shutdown` closes it. Throws what openEngine and Backend.open throw. */
export function openGgmlDevice(config: Omit<ShardWorkerConfig, "simulate">, shutdown: Shutdown): Device {
  const { ggmlDir, device, threads } = config;
  const grammars = {
    compileMs: config.grammarCompileMs,
    maskMs: config.grammarMaskMs,
    memoryBytes: config.grammarMemory,
    threads: config.grammarThreads,
  };
  const engine = openEngine(ggmlDir === undefined ? {} : { dir: ggmlDir });
  const backend = Backend.open(engine, { device, threads });
  shutdown.add("backend", () => backend.close());
  return {
    facts: {
      engine: engine.version,
      device: backend.device.name,
      simulated: false,
      rowBlock: ROW_BLOCK,
      ...measureSpeed(backend),
    },
    load: (request) => loadShard({ engine, backend, grammars, ...request }),
  };
}
