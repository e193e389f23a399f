import { setTimeout as sleep } from "node:timers/promises";
import {
  announce,
  type ConfigOf,
  logLevelSetting,
  openRedis,
  portSchema,
  RhoneError,
  type Settings,
  serviceMain,
} from "@rhone/common";
import { z } from "zod";
import { endLeftoverRedis } from "./leftover-redis.js";
import { type RedisAddress, startRedisServer } from "./redis-server.js";
import { startValkeyWasm } from "./valkey-wasm.js";

// The process that holds the private Redis of a cluster: a server program as its child, or Valkey inside of it. It ends with its launcher.

const text = z.string().min(1);

const redisHostSettings = {
  binary: { env: "RHONE_REDIS_BINARY", schema: text.optional(), doc: "A redis-server; else Valkey in WebAssembly." },
  dataFolder: { env: "RHONE_REDIS_DATA", schema: text, doc: "Where the append-only file goes." },
  runFolder: { env: "RHONE_REDIS_RUN", schema: text, doc: "Where the server's process is recorded." },
  socket: { env: "RHONE_REDIS_SOCKET", schema: text.optional(), doc: "The Unix socket to listen on; else a port." },
  port: { env: "RHONE_REDIS_PORT", schema: portSchema.default(0), doc: "The loopback port to listen on." },
  password: { env: "RHONE_REDIS_PASSWORD", schema: z.string().default(""), doc: "Asked of clients of the port." },
  logLevel: logLevelSetting,
} as const satisfies Settings;

/** Loading a large append-only file takes a while. */
const START_DEADLINE_MS = 120_000;

await serviceMain({ service: "redis", settings: redisHostSettings }, async (config, { logger, shutdown }) => {
  await endLeftoverRedis(config.runFolder);
  const { binary, dataFolder, runFolder, port, password } = config;
  if (binary === undefined) {
    shutdown.add("valkey", await startValkeyWasm(port));
    await setPassword(`redis://127.0.0.1:${port}`, password);
  } else {
    const address = addressOf(config);
    shutdown.add("redis-server", await startRedisServer({ binary, dataFolder, runFolder, address }));
    await untilItAnswers("socket" in address ? `unix://${address.socket}` : `redis://:${password}@127.0.0.1:${port}`);
  }
  logger.info({ binary: binary ?? "valkey-wasm" }, "listening");
  announce({ kind: "listening", service: "redis", addresses: { redis: config.socket ?? `127.0.0.1:${port}` } });
});

function addressOf({ socket, port, password }: ConfigOf<typeof redisHostSettings>): RedisAddress {
  return socket === undefined ? { port, password } : { socket };
}

async function setPassword(url: string, password: string): Promise<void> {
  const redis = await connect(url);
  await redis.config("SET", "requirepass", password);
  redis.disconnect();
}

async function untilItAnswers(url: string): Promise<void> {
  const deadline = Date.now() + START_DEADLINE_MS;
  for (;;) {
    try {
      (await connect(url)).disconnect();
      return;
    } catch (error) {
      if (Date.now() > deadline) throw new RhoneError("REDIS_UNAVAILABLE", "Redis did not start.", { cause: error });
      await sleep(50);
    }
  }
}

/** Errors of single attempts are expected while the server starts. */
function connect(url: string) {
  return openRedis({ url, name: "rhone-redis-host", waits: false, onError: () => {} });
}
