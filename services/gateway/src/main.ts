import type { AddressInfo } from "node:net";
import {
  ApiKeyStore,
  announce,
  explainBindError,
  hostPort,
  type Logger,
  openRedis,
  readClusterSecret,
  serviceMain,
} from "@rhone/common";
import { IdempotencyRecords } from "./admission/idempotency-records.js";
import { type KeyRing, keysRequired } from "./admission/key-ring.js";
import { redisRateLimits } from "./admission/rate-limits.js";
import { StreamRecords } from "./answers/stream-records.js";
import { BatchLease } from "./batches/batch-lease.js";
import { gatewaySettings } from "./config.js";
import { assembleGateway } from "./gateway.js";
import { drain } from "./http/drain.js";
import { KeptTexts } from "./kept/kept-texts.js";
import { openModels } from "./models/open-models.js";
import { redisClusterState } from "./queue/cluster-state.js";
import { RedisGenerationClient } from "./queue/redis-generation-client.js";
import { OpenResponses } from "./responses/open-responses.js";
import { ResponseStore } from "./responses/response-store.js";
import { openStorage } from "./storage/open-storage.js";
import { trimMemory } from "./text/text-model.js";

/** Connections that wait to be accepted. Of 1,000 at once, those beyond Node's 511 were tried again after a second. */
const BACKLOG = 4096;

interface Access {
  readonly keyRing: Pick<KeyRing, "isEmpty"> | null;
  /** Whether other machines can connect. */
  readonly isReachable: boolean;
  readonly keysCommand: string;
  readonly logger: Logger;
}

/** Warns when requests need no key though other machines can connect, or need a key and none exists. */
async function warnOfAccess({ keyRing, isReachable, keysCommand, logger }: Access): Promise<void> {
  if (keyRing === null && isReachable) logger.warn("other machines can reach this gateway without an API key");
  if (await keyRing?.isEmpty()) logger.warn({ create: keysCommand }, "requests need an API key, and none exists yet");
}

await serviceMain(
  {
    service: "gateway",
    settings: gatewaySettings,
    trim: trimMemory,
    lingersMs: ({ drainTimeoutMs }) => drainTimeoutMs,
  },
  async (config, { logger, shutdown }) => {
    const { host, port, gatewayId, redisUrl: url, maxQueued, queuedBytes } = config;
    const { clusterSecretFile } = config;
    const clusterSecret = clusterSecretFile === undefined ? null : readClusterSecret(clusterSecretFile);
    const models = await openModels(config, { logger, shutdown });
    const storage = await openStorage(config, logger);
    shutdown.add("storage", () => storage.close());
    const onError = (err: Error) => logger.warn({ err }, "redis connection error");
    const redis = await openRedis({ url, files: config, name: gatewayId, waits: false, onError });
    shutdown.add("redis", () => redis.disconnect());
    const subscriber = await openRedis({ url, files: config, name: `${gatewayId}-events`, waits: true, onError });
    shutdown.add("subscriber", () => subscriber.disconnect());
    const client = await RedisGenerationClient.open({ redis, subscriber, gatewayId, maxQueued, queuedBytes, logger });
    shutdown.add("queue", () => client.close());
    const {
      app,
      batchRunner,
      background,
      keyRing,
      models: served,
    } = assembleGateway(config, {
      models,
      client,
      cluster: redisClusterState(redis),
      storage,
      keys: new ApiKeyStore(redis),
      limits: redisRateLimits(redis),
      streams: new StreamRecords(new KeptTexts(redis, { kind: "streams", mostBytes: config.streamRecordBytes })),
      idempotency: new IdempotencyRecords(
        new KeptTexts(redis, { kind: "idempotent", mostBytes: config.idempotencyBytes }),
      ),
      responses: new ResponseStore(
        new KeptTexts(redis, { kind: "responses", mostBytes: config.responseBytes }),
        config.responseTtlS,
      ),
      openResponses: new OpenResponses(redis),
      takeLease: (lease) => BatchLease.take(redis, lease),
      clusterSecret,
      logger,
    });
    shutdown.add("model watch", served.watch());
    const { hurry } = shutdown;
    const onDeaf = (): void => announce({ kind: "retiring" });
    shutdown.add("http", () => drain(app, { timeoutMs: config.drainTimeoutMs, hurry, onDeaf, logger }));
    // Written now, as the first client to ask for it would hold up the others for 0.2 s.
    await app.ready();
    app.swagger();
    await app.listen({ host, port, backlog: BACKLOG }).catch((error) => {
      throw explainBindError(error, { host, port });
    });
    const http = hostPort(host, (app.server.address() as AddressInfo).port);
    shutdown.add("batches", () => batchRunner.close());
    batchRunner.start();
    shutdown.add("responses", () => background.close());
    background.start();
    logger.info({ http, models: models.map(({ text }) => text.name), keys: keyRing !== null }, "listening");
    const { keysCommand } = config;
    await warnOfAccess({ keyRing, isReachable: keysRequired("auto", host), keysCommand, logger });
    announce({ kind: "listening", service: "gateway", addresses: { http } });
  },
);
