import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export interface SpawnedService {
  /** host:port of each listener, by name, as its log has them. */
  readonly addresses: Readonly<Record<string, string>>;
  /** Resolves when it has ended. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** A line of a service's log. A gateway has one address. */
interface Listening {
  readonly msg: string;
  readonly addresses?: Readonly<Record<string, string>>;
  readonly http?: string;
}

/** Starts a service beside a cluster and waits until it listens. Throws with its log if that fails. */
export async function spawnService(
  service: "coordinator" | "gateway" | "shard-worker",
  flags: readonly string[],
  { env = {}, cwd }: { readonly env?: NodeJS.ProcessEnv; readonly cwd?: string } = {},
): Promise<SpawnedService> {
  const main = fileURLToPath(new URL(`../../services/${service}/dist/main.bundle.js`, import.meta.url));
  const child = spawn(process.execPath, [main, ...flags], {
    env: { ...process.env, ...env },
    cwd,
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
    const { addresses, http, msg } = JSON.parse(line) as Listening;
    if (msg !== "listening") continue;
    child.stdout.resume();
    return { addresses: addresses ?? { http: http ?? "" }, stop };
  }
  throw new Error(`the ${service} ended:\n${log.join("\n")}`);
}
