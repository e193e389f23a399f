import { announce, createLogger, loadConfig, RhoneError, runService } from "@rhone/common";
import { coordinatorSettings } from "./config.js";
import { startCoordinator } from "./coordinator.js";
import { loadServedModel } from "./model/served-model.js";

function readConfig() {
  try {
    return loadConfig(coordinatorSettings, process.env, process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof RhoneError)) throw error;
    announce({ kind: "fatal", code: error.code, message: error.message });
    process.stderr.write(`${error.message}\n`);
    process.exit(2);
  }
}

const config = readConfig();
const logger = createLogger({ service: "coordinator", level: config.logLevel });

await runService(logger, async (shutdown) => {
  const { modelPath, modelName, slidingWindow, context, ggmlDir } = config;
  const model = await loadServedModel({ path: modelPath, name: modelName, slidingWindow, context, ggmlDir });
  const addresses = await startCoordinator({ config, model, logger, shutdown });
  logger.info({ addresses, model: model.served.name, workers: config.workers }, "listening");
  announce({ kind: "listening", service: "coordinator", addresses: { ...addresses } });
});
