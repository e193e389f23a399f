import { announce, createLogger, loadConfig, RhoneError, runService } from "@rhone/common";
import { shardWorkerSettings } from "./config.js";
import { startShardWorker } from "./worker.js";

function readConfig() {
  try {
    return loadConfig(shardWorkerSettings, process.env, process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof RhoneError)) throw error;
    announce({ kind: "fatal", code: error.code, message: error.message });
    process.stderr.write(`${error.message}\n`);
    process.exit(2);
  }
}

const config = readConfig();
const logger = createLogger({ service: "shard-worker", level: config.logLevel });

await runService(logger, async (shutdown) => {
  const addresses = await startShardWorker({ config, logger, shutdown });
  logger.info({ addresses, device: config.device, threads: config.threads }, "listening");
  announce({ kind: "listening", service: "shard-worker", addresses });
});
