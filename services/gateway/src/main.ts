import type { AddressInfo } from "node:net";
import { ApiKeyStore, announce, explainBindError, openRedis, serviceMain } from "@rhone/common";
import { GrammarChecker } from "@rhone/grammar";
import { keysRequired } from "./admission/auth-mode.js";
import { redisIdempotencyRecords } from "./admission/idempotency-records.js";
import { KeyRing } from "./admission/key-ring.js";
import { redisRateLimits } from "./admission/redis-rate-limits.js";
import { redisStreamRecords } from "./answers/stream-records.js";
import { BatchRunner } from "./batches/batch-runner.js";
import { BatchStore } from "./batches/batch-store.js";
import { gatewaySettings } from "./config.js";
import { FileStore } from "./files/file-store.js";
import type { GatewayDeps } from "./gateway-deps.js";
import { buildServer } from "./http/server.js";
import { createMetrics } from "./metrics.js";
import { redisClusterState } from "./queue/cluster-state.js";
import { RedisGenerationClient } from "./queue/redis-generation-client.js";
import { openStorage } from "./storage/open-storage.js";
import { loadTextModel } from "./text/text-model.js";

/** Takes no new requests, lets the running ones finish for so long, then ends them. */
async function drain(app: ReturnType<typeof buildServer>, timeoutMs: number): Promise<void> {
  const timer = setTimeout(() => app.server.closeAllConnections(), timeoutMs);
  await app.close();
  clearTimeout(timer);
}

/** Nobody can ask anything yet, or everybody can. */
async function warnOfAdmission({ keyRing, logger }: GatewayDeps, isReachable: boolean): Promise<void> {
  if (keyRing === null && isReachable)
    logger.warn("other machines can reach this gateway, and no API key is asked for");
  if (await keyRing?.isEmpty()) logger.warn("no API key exists yet: `rhone keys create NAME` makes one");
}

await serviceMain({ service: "gateway", settings: gatewaySettings }, async (config, { logger, shutdown }) => {
  const { host, port, gatewayId, redisUrl: url } = config;
  const { modelPath: path, modelName: name, modelAlias: aliases, chatTemplate, ggmlDir } = config;
  const model = await loadTextModel({ path, name, aliases, chatTemplate, ggmlDir });
  shutdown.add("tokenizer", () => model.close());
  const grammars = new GrammarChecker({
    vocabulary: () => model.grammarVocabulary(),
    timeoutMs: config.grammarTimeoutMs,
  });
  shutdown.add("grammars", () => grammars.close());
  const storage = await openStorage(config, logger);
  shutdown.add("storage", () => storage.close());
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
  const { requestTimeoutMs, bodyLimitBytes, fileLimitBytes, opsless, corsOrigins } = config;
  const deps: GatewayDeps = {
    model,
    client,
    cluster: redisClusterState(redis),
    streams: redisStreamRecords(redis),
    grammars,
    metrics: createMetrics(),
    logger,
    gatewayId,
    requestTimeoutMs,
    bodyLimitBytes,
    files: new FileStore(storage),
    fileLimitBytes,
    batches: new BatchStore(storage),
    opsless,
    corsOrigins,
    keyRing: keysRequired(config.auth, host) ? new KeyRing(new ApiKeyStore(redis)) : null,
    limits: redisRateLimits(redis),
    defaultLimits: { requests: config.requestsPerMinute, tokens: config.tokensPerMinute },
    idempotency: redisIdempotencyRecords(redis),
    idempotencyTtlS: config.idempotencyTtlS,
  };
  const app = buildServer(deps);
  shutdown.add("http", () => drain(app, config.drainTimeoutMs));
  await app.listen({ host, port }).catch((error) => {
    throw explainBindError(error, { host, port });
  });
  const http = `${host}:${(app.server.address() as AddressInfo).port}`;
  const { batchesAtOnce: mostBatches, batchLinesInFlight: linesInFlight, batchMostLines: mostLines } = config;
  const batches = new BatchRunner({ deps, redis, mostBatches, linesInFlight, mostLines });
  shutdown.add("batches", () => batches.close());
  batches.start();
  logger.info({ http, model: model.name, keys: deps.keyRing !== null }, "listening");
  await warnOfAdmission(deps, keysRequired("auto", host));
  announce({ kind: "listening", service: "gateway", addresses: { http } });
});
