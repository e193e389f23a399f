import { announce, serviceMain } from "@rhone/common";
import { coordinatorSettings } from "./config.js";
import { startCoordinator } from "./coordinator.js";
import { loadServedModel } from "./model/served-model.js";

await serviceMain({ service: "coordinator", settings: coordinatorSettings }, async (config, { logger, shutdown }) => {
  const { modelPath, modelName, slidingWindow, context, ggmlDir } = config;
  const model = await loadServedModel({ path: modelPath, name: modelName, slidingWindow, context, ggmlDir });
  const addresses = await startCoordinator({ config, model, logger, shutdown });
  logger.info({ addresses, model: model.served.name, workers: config.workers }, "listening");
  announce({ kind: "listening", service: "coordinator", addresses: { ...addresses } });
});
