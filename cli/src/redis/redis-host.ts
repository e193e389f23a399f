import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import {
  API_KEYS_KEY,
  announce,
  type ConfigOf,
  hostPort,
  hostSchema,
  hungAfterSetting,
  logLevelSetting,
  openRedis,
  portSchema,
  REDIS_ACL,
  RhoneError,
  type Settings,
  serviceMain,
} from "@rhone/common";
import { z } from "zod";
import { endLeftoverRedis } from "./leftover-redis.js";
import { type RedisAddress, type RedisServer, startRedisServer } from "./redis-server.js";
import { logServerLine } from "./server-log.js";
import { startValkeyWasm } from "./valkey-wasm.js";
import { watchRedis } from "./watch-redis.js";

// The host process of a cluster's private Redis: a server program as its child, or Valkey inside it. It ends with its
// launcher.

const text = z.string().min(1);

const redisHostSettings = {
  binary: {
    env: "RHONE_REDIS_BINARY",
    schema: text.optional(),
    doc: "A redis-server or valkey-server program; else Valkey in WebAssembly.",
  },
  dataFolder: { env: "RHONE_REDIS_DATA", schema: text, doc: "Folder of the append-only file." },
  runFolder: { env: "RHONE_REDIS_RUN", schema: text, doc: "Folder in which the server's process is recorded." },
  socket: { env: "RHONE_REDIS_SOCKET", schema: text.optional(), doc: "Unix socket to listen on; else a port." },
  host: { env: "RHONE_REDIS_HOST", schema: hostSchema.default("127.0.0.1"), doc: "Loopback address of the port." },
  port: { env: "RHONE_REDIS_PORT", schema: portSchema.default(0), doc: "Loopback port to listen on." },
  passwordFile: {
    env: "RHONE_REDIS_PASSWORD_FILE",
    schema: text.optional(),
    doc: "File with the password that clients of the port must give.",
  },
  hungAfter: hungAfterSetting,
  logLevel: logLevelSetting,
} as const satisfies Settings;

/** Where API keys were before the prefix had braces. */
const FORMER_API_KEYS_KEY = "rhone:api-keys";

/** Long enough to load a large append-only file. */
const START_DEADLINE_MS = 120_000;

await serviceMain({ service: "redis", settings: redisHostSettings }, async (config, { logger, shutdown }) => {
  await endLeftoverRedis(config.runFolder);
  const { binary, dataFolder, runFolder, host, port } = config;
  const password = await passwordOf(config);
  const place = hostPort(host, port);
  if (binary === undefined) {
    shutdown.add("valkey", await startValkeyWasm({ host, port }, (line) => logServerLine(line, logger)));
    await setPassword(`redis://${place}`, password);
    await restrict(`redis://:${password}@${place}`);
  } else {
    const address = addressOf(config, password);
    const server = await startRedisServer({ binary, dataFolder, runFolder, address, logger });
    shutdown.add("redis-server", () => server.stop());
    const url = "socket" in address ? `unix://${address.socket}` : `redis://:${password}@${place}`;
    await untilItAnswers(url);
    await restrict(url);
    await keepAnswering(server, url, config.hungAfter);
  }
  logger.info({ binary: binary ?? "valkey-wasm" }, "listening");
  announce({ kind: "listening", service: "redis", addresses: { redis: config.socket ?? place } });
});

async function passwordOf({ passwordFile }: ConfigOf<typeof redisHostSettings>): Promise<string> {
  return passwordFile === undefined ? "" : (await readFile(passwordFile, "utf8")).trim();
}

/** From now on its clients, this process too, may do what Rhone needs and nothing else. */
async function restrict(url: string): Promise<void> {
  const redis = await connect(url);
  await redis.renamenx(FORMER_API_KEYS_KEY, API_KEYS_KEY).catch(() => {}); // there are none
  await redis.call("ACL", "SETUSER", "default", "resetkeys", "resetchannels", "nocommands", ...REDIS_ACL);
  redis.disconnect();
}

function addressOf({ socket, host, port }: ConfigOf<typeof redisHostSettings>, password: string): RedisAddress {
  return socket === undefined ? { host, port, password } : { socket };
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
      if (Date.now() > deadline)
        throw new RhoneError("REDIS_UNAVAILABLE", `Redis does not answer after ${START_DEADLINE_MS / 1000} s.`, {
          cause: error,
        });
      await sleep(50);
    }
  }
}

/** A server that hangs is killed, which ends this process, too; the supervisor starts both again. */
async function keepAnswering(server: RedisServer, url: string, hungAfter: number): Promise<void> {
  const redis = await connect(url, true);
  const onHung = (): void => server.kill(`hung: it answered no ping for ${hungAfter} s`);
  watchRedis({ ping: () => redis.ping(), hungAfterMs: hungAfter * 1000, onLate: server.wake, onHung });
}

/** Ignores connection errors, which are expected while the server starts. */
function connect(url: string, waits = false) {
  return openRedis({ url, name: "rhone-redis-host", waits, onError: () => {} });
}
