import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { type ListenAddress, type Logger, RhoneError } from "@rhone/common";
import { recordRedisProcess } from "./leftover-redis.js";
import { logServerOutput } from "./server-log.js";

export interface RedisServerOptions {
  readonly binary: string;
  readonly dataFolder: string;
  readonly runFolder: string;
  readonly address: RedisAddress;
  /** Gets what the server prints. */
  readonly logger: Logger;
}

export type RedisAddress = { readonly socket: string } | (ListenAddress & { readonly password: string });

/** A server program that runs. */
export interface RedisServer {
  /** In order; with force after 8 s. */
  stop(): Promise<void>;
  /**
   * At once, as an unexpected end with this reason. It has handed every write that it acknowledged to the system, so
   * its append-only file is complete.
   */
  kill(problem: string): void;
  /** In case it was stopped. */
  wake(): void;
}

const STOP_DEADLINE_MS = 8000;

/**
 * Starts a server program as a child of this process. When the server ends
 * unexpectedly, the exception is left uncaught to end this process, too.
 */
export async function startRedisServer(options: RedisServerOptions): Promise<RedisServer> {
  const child = spawn(options.binary, ["-"], { stdio: "pipe" });
  for (const output of [child.stdout, child.stderr]) logServerOutput(output, options.logger);
  let stopping = false;
  let killed: string | undefined;
  const ended = new Promise<void>((resolve) => {
    child.once("error", (cause) => {
      throw new RhoneError("REDIS_UNAVAILABLE", `${options.binary} can't be started: ${cause.message}`, { cause });
    });
    child.once("exit", (code, signal) => {
      resolve();
      if (stopping) return;
      const problem = killed ?? `ended unexpectedly (${signal ?? `exit code ${code}`})`;
      throw new RhoneError("REDIS_UNAVAILABLE", `${options.binary} ${problem}.`);
    });
  });
  // A host that ends in no order leaves no server behind.
  process.once("exit", () => child.kill("SIGKILL"));
  await once(child, "spawn");
  // through a pipe, because every user of the machine can read the command line, password included
  child.stdin.end(redisSettings(options));
  await recordRedisProcess(options.runFolder, child.pid ?? 0);
  const stop = async (): Promise<void> => {
    stopping = true;
    child.kill("SIGTERM");
    const inTime = await Promise.race([ended.then(() => true), sleep(STOP_DEADLINE_MS, false, { ref: false })]);
    if (!inTime) child.kill("SIGKILL");
    await ended;
  };
  const kill = (problem: string): void => {
    killed = problem;
    child.kill("SIGKILL");
  };
  return { stop, kill, wake: () => void child.kill("SIGCONT") };
}

/** The server's configuration. It has the only record of unfinished work: an append-only file, and no eviction. */
export function redisSettings({ dataFolder, address }: Pick<RedisServerOptions, "dataFolder" | "address">): string {
  const listeners =
    "socket" in address
      ? ["port 0", `unixsocket ${quote(address.socket)}`, "unixsocketperm 700"]
      : [`bind ${address.host}`, `port ${address.port}`, `requirepass ${address.password}`];
  const settings = [
    ...listeners,
    `dir ${quote(dataFolder)}`,
    "appendonly yes",
    "appendfsync everysec",
    'save ""',
    "maxmemory-policy noeviction",
    "daemonize no",
  ];
  return `${settings.join("\n")}\n`;
}

const quote = (text: string): string => `"${text.replaceAll(/["\\]/g, (character) => `\\${character}`)}"`;
