import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { type Machine, thisMachine } from "./machine.js";

export interface SpawnedService {
  readonly pid: number;
  /** host:port of each listener, by name, as its log has them. */
  readonly addresses: Readonly<Record<string, string>>;
  /** The lines of its log so far. */
  readonly log: readonly string[];
  /** Resolves when it has ended. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** A line of a service's log. A gateway has one address. */
interface Listening {
  readonly addresses?: Readonly<Record<string, string>>;
  readonly http?: string;
}

const MAIN_FILES = {
  coordinator: "services/coordinator/dist/main.bundle.js",
  gateway: "services/gateway/dist/main.bundle.js",
  "shard-worker": "services/shard-worker/dist/main.bundle.js",
  redis: "cli/dist/redis/redis-host.bundle.js",
} as const;

export interface SpawnOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Where it runs; this machine when absent. */
  readonly on?: Machine;
  /** URL of a module that runs before the service, which is then not bundled: both have the same modules. */
  readonly preload?: string;
}

/** Starts a service beside a cluster and waits until it listens. Throws with its log if that fails. */
export async function spawnService(
  service: keyof typeof MAIN_FILES,
  flags: readonly string[],
  { env = {}, cwd, on = thisMachine, preload }: SpawnOptions = {},
): Promise<SpawnedService> {
  const bundle = fileURLToPath(new URL(`../../${MAIN_FILES[service]}`, import.meta.url));
  const main = preload === undefined ? [bundle] : ["--import", preload, bundle.replace(".bundle.js", ".js")];
  const child = on.spawn(process.execPath, [...main, ...flags], {
    env: { ...process.env, ...env },
    cwd,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const output = child.stdout ?? Readable.from([]);
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const stop = (signal: NodeJS.Signals = "SIGTERM"): Promise<void> => {
    child.kill(signal);
    return ended;
  };
  const log: string[] = [];
  const { addresses, http } = await new Promise<Listening>((resolve, reject) => {
    createInterface({ input: output })
      .on("line", (line) => {
        log.push(line);
        if (line.includes('"msg":"listening"')) resolve(JSON.parse(line) as Listening);
      })
      .once("close", () => reject(new Error(`the ${service} ended:\n${log.join("\n")}`)));
  });
  return { pid: child.pid ?? 0, addresses: addresses ?? { http: http ?? "" }, log, stop };
}
