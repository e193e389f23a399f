import type { AddressInfo } from "node:net";
import { announce, createLogger, explainBindError, loadConfig, openRedis, RhoneError, runService } from "@rhone/common";
import { GrammarChecker } from "@rhone/grammar";
import { gatewaySettings } from "./config.js";
import { createMetrics } from "./metrics.js";
import { redisClusterState } from "./queue/cluster-state.js";
import { RedisGenerationClient } from "./queue/redis-generation-client.js";
import { buildServer } from "./server.js";
import { loadTextModel } from "./text/text-model.js";

function readConfig() {
  try {
    return loadConfig(gatewaySettings, process.env, process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof RhoneError)) throw error;
    announce({ kind: "fatal", code: error.code, message: error.message });
    process.stderr.write(`${error.message}\n`);
    process.exit(2);
  }
}

/** Takes no new requests, lets the running ones finish for so long, then ends them. */
async function drain(app: ReturnType<typeof buildServer>, timeoutMs: number): Promise<void> {
  const timer = setTimeout(() => app.server.closeAllConnections(), timeoutMs);
  await app.close();
  clearTimeout(timer);
}

const config = readConfig();
const logger = createLogger({ service: "gateway", level: config.logLevel });

await runService(logger, async (shutdown) => {
  const { host, port, gatewayId, redisUrl: url } = config;
  const { modelPath: path, modelName: name, modelAlias: aliases, chatTemplate, ggmlDir } = config;
  const model = await loadTextModel({ path, name, aliases, chatTemplate, ggmlDir });
  shutdown.add("tokenizer", () => model.close());
  const grammars = new GrammarChecker({
    vocabulary: () => model.grammarVocabulary(),
    timeoutMs: config.grammarTimeoutMs,
  });
  shutdown.add("grammars", () => grammars.close());
  const onError = (err: Error) => logger.warn({ err }, "redis connection error");
  const redis = await openRedis({ url, name: gatewayId, waits: false, onError });
  shutdown.add("redis", () => redis.disconnect());
  const subscriber = await openRedis({ url, name: `${gatewayId}-events`, waits: true, onError });
  shutdown.add("subscriber", () => subscriber.disconnect());
  const client = await RedisGenerationClient.open({
    redis,
    subscriber,
    gatewayId,
    maxQueued: config.maxQueued,
    logger,
  });
  shutdown.add("queue", () => client.close());
  const { requestTimeoutMs, bodyLimitBytes, opsless } = config;
  const app = buildServer({
    model,
    client,
    cluster: redisClusterState(redis),
    grammars,
    metrics: createMetrics(),
    logger,
    gatewayId,
    requestTimeoutMs,
    bodyLimitBytes,
    opsless,
  });
  shutdown.add("http", () => drain(app, config.drainTimeoutMs));
  await app.listen({ host, port }).catch((error) => {
    throw explainBindError(error, { host, port });
  });
  const http = `${host}:${(app.server.address() as AddressInfo).port}`;
  logger.info({ http, model: model.name }, "listening");
  announce({ kind: "listening", service: "gateway", addresses: { http } });
});
