import { announce, serviceMain } from "@rhone/common";
import { openHeader } from "@rhone/weights";
import { coordinatorSettings } from "./config.js";
import { startCoordinator } from "./coordinator.js";
import { loadServedModel } from "./model/served-model.js";

await serviceMain({ service: "coordinator", settings: coordinatorSettings }, async (config, { logger, shutdown }) => {
  const { modelName, slidingWindow, context, ggmlDir } = config;
  const { path, name, origin, close } = await openHeader(config, logger);
  shutdown.add("model file", close);
  const model = await loadServedModel({ path, origin, name: modelName ?? name, slidingWindow, context, ggmlDir });
  const addresses = await startCoordinator({ config, model, logger, shutdown });
  logger.info({ addresses, model: model.served.name, workers: config.workers }, "listening");
  announce({ kind: "listening", service: "coordinator", addresses: { ...addresses } });
});
