import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { identifyProcess, isAlive, signalProcess } from "../cluster/process-identity.js";

const identitySchema = z.object({ pid: z.number().int().positive(), startedAt: z.string() });
const fileIn = (runFolder: string): string => join(runFolder, "redis-server.json");

/** Remembers the server that was started, for the case that this process is killed and can't stop it. */
export async function recordRedisProcess(runFolder: string, pid: number): Promise<void> {
  const identity = identifyProcess(pid);
  if (identity !== null) await writeFile(fileIn(runFolder), JSON.stringify(identity), { mode: 0o600 });
}

/** Ends a server whose host was killed; two of them must never write to the same files. */
export async function endLeftoverRedis(runFolder: string): Promise<void> {
  const identity = await readIdentity(runFolder);
  if (identity !== null && signalProcess(identity, "SIGTERM")) {
    for (let waits = 0; waits < 100 && isAlive(identity); waits++) await sleep(50);
    signalProcess(identity, "SIGKILL");
  }
  await rm(fileIn(runFolder), { force: true });
}

async function readIdentity(runFolder: string) {
  try {
    return identitySchema.parse(JSON.parse(await readFile(fileIn(runFolder), "utf8")));
  } catch {
    return null;
  }
}
