import type { AddressInfo } from "node:net";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import {
  ApiKeyStore,
  announce,
  explainBindError,
  givenSocket,
  hostPort,
  isEveryInterface,
  type ListeningSocket,
  type Logger,
  openRedis,
  openTracing,
  readSecret,
  released,
  serviceMain,
  socketOf,
} from "@rhone/common";
import { trimMemory } from "@rhone/ggml";
import type { FastifyInstance } from "fastify";
import { IdempotencyRecords } from "./admission/idempotency-records.js";
import { type KeyRing, keysRequired } from "./admission/key-ring.js";
import { redisRateLimits } from "./admission/rate-limits.js";
import { StreamRecords } from "./answers/stream-records.js";
import { BatchLease } from "./batches/batch-lease.js";
import { type GatewayConfig, gatewaySettings } from "./config.js";
import { assembleGateway, hasConsole } from "./gateway.js";
import { drain } from "./http/drain.js";
import { KeptTexts } from "./kept/kept-texts.js";
import { openModels } from "./models/open-models.js";
import { redisClusterRecords } from "./monitoring/cluster-records.js";
import { GatewayAnnouncer } from "./monitoring/gateway-announcer.js";
import { redisClusterState } from "./queue/cluster-state.js";
import { RedisGenerationClient } from "./queue/redis-generation-client.js";
import { OpenResponses } from "./responses/open-responses.js";
import { ResponseStore } from "./responses/response-store.js";
import { openStorage } from "./storage/open-storage.js";

/** Connections that wait to be accepted. Of 1,000 at once, those beyond Node's 511 were tried again after a second. */
const BACKLOG = 4096;

/**
 * Serves on until a successor listens on the same socket, within `mostMs`; at once without a launcher, or when `hurry`
 * aborts.
 */
async function handOver(mostMs: number, hurry: AbortSignal): Promise<void> {
  announce({ kind: "retiring" });
  const late = sleep(mostMs, undefined, { signal: hurry, ref: false }).catch(() => {});
  await Promise.race([released(), late]);
}

/** On the socket `given`, or else on one of its own. Throws PORT_IN_USE. */
async function listen(
  app: FastifyInstance,
  { host, port }: Pick<GatewayConfig, "host" | "port">,
  given: ListeningSocket | null,
): Promise<void> {
  if (given !== null) {
    const { server } = app;
    const listenOn = server.listen.bind(server);
    server.listen = () => listenOn(given, BACKLOG); // Fastify would leave the backlog out
  }
  try {
    await app.listen({ host, port, backlog: BACKLOG });
  } catch (error) {
    throw explainBindError(error as NodeJS.ErrnoException, { host, port });
  }
}

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
    const given = config.socket === "given" ? givenSocket() : null;
    given?.catch(() => {}); // it is awaited below
    const { host, gatewayId, redisUrl: url, maxQueued, queuedBytes } = config;
    const { clusterSecretFile } = config;
    const tracing = await openTracing(config, { service: "gateway", instance: gatewayId, logger });
    shutdown.add("tracing", () => tracing.close());
    const clusterSecret = clusterSecretFile === undefined ? null : readSecret(clusterSecretFile);
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
      feed,
    } = assembleGateway(config, {
      models,
      client,
      cluster: redisClusterState(redis),
      records: redisClusterRecords(redis),
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
      tracing,
      logger,
    });
    shutdown.add("model watch", served.watch());
    if (hasConsole(config)) shutdown.add("live feed", feed.start());
    const { hurry } = shutdown;
    shutdown.add("http", async () => {
      const { drainTimeoutMs } = config;
      const startedAt = performance.now();
      await handOver(drainTimeoutMs, hurry);
      const timeoutMs = Math.max(0, startedAt + drainTimeoutMs - performance.now());
      await drain(app, { timeoutMs, hurry, logger });
    });
    // Written now, as the first client to ask for it would hold up the others for 0.2 s.
    await app.ready();
    app.swagger();
    await listen(app, config, await given);
    const { port } = app.server.address() as AddressInfo;
    const http = hostPort(host, port);
    const { advertiseHost = isEveryInterface(host) ? hostname() : host } = config;
    const place = { id: gatewayId, address: hostPort(advertiseHost, port) };
    const announcer = new GatewayAnnouncer({ redis, place, logger });
    shutdown.add("address", () => announcer.close());
    shutdown.add("batches", () => batchRunner.close());
    batchRunner.start();
    shutdown.add("responses", () => background.close());
    background.start();
    logger.info({ http, models: models.map(({ text }) => text.name), keys: keyRing !== null }, "listening");
    const { keysCommand } = config;
    await warnOfAccess({ keyRing, isReachable: keysRequired("auto", host), keysCommand, logger });
    const kept = config.socket === "kept" ? socketOf(app.server) : undefined;
    announce({ kind: "listening", service: "gateway", addresses: { http } }, kept);
  },
);
