import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { RunningCluster } from "./start-cluster.js";

const MAIN = fileURLToPath(new URL("../../services/gateway/dist/main.js", import.meta.url));
const BREEZE = fileURLToPath(new URL("../../models/breeze-q8_0.gguf", import.meta.url));

export interface SecondGateway {
  readonly url: string;
  /** Resolves when it has ended. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** Starts another gateway of a cluster that serves Breeze, on its own port. Throws with its log if that fails. */
export async function startSecondGateway(
  { dataDir }: RunningCluster,
  flags: readonly string[],
): Promise<SecondGateway> {
  const { redisUrl } = JSON.parse(readFileSync(join(dataDir, "run", "cluster.json"), "utf8")) as { redisUrl: string };
  const own = ["--port", "0", "--model-path", BREEZE, "--model-name", "breeze", "--storage", join(dataDir, "storage")];
  const child = spawn(process.execPath, [MAIN, ...own, ...flags], {
    env: { ...process.env, REDIS_URL: redisUrl },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const stop = (signal: NodeJS.Signals = "SIGTERM"): Promise<void> => {
    child.kill(signal);
    return ended;
  };
  const log: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    log.push(line);
    const { http, msg } = JSON.parse(line) as { http?: string; msg: string };
    if (msg !== "listening" || http === undefined) continue;
    child.stdout.resume();
    return { url: `http://${http}`, stop };
  }
  throw new Error(`the second gateway ended:\n${log.join("\n")}`);
}
