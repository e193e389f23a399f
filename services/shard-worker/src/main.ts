import { announce, serviceMain } from "@rhone/common";
import { trimMemory } from "@rhone/ggml";
import { shardWorkerSettings } from "./config.js";
import { startShardWorker } from "./worker.js";

await serviceMain(
  {
    service: "shard-worker",
    settings: shardWorkerSettings,
    trim: trimMemory,
    lingersMs: ({ leaveTimeout }) => 1000 * leaveTimeout,
  },
  async (config, { logger, shutdown }) => {
    const addresses = await startShardWorker({ config, logger, shutdown, tell: announce });
    logger.info({ addresses, device: config.device, threads: config.threads }, "listening");
    announce({ kind: "listening", service: "shard-worker", addresses });
  },
);
