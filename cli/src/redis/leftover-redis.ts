import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { endProcesses, identifyProcess, type ProcessIdentity } from "../processes/process-identity.js";

const identitySchema = z.object({ pid: z.number().int().positive(), startedAt: z.string() });
const fileIn = (runFolder: string): string => join(runFolder, "redis-server.json");

/** Records the server's process, in case this one is killed before it can stop it. */
export async function recordRedisProcess(runFolder: string, pid: number): Promise<void> {
  const identity = identifyProcess(pid);
  if (identity !== null) await writeFile(fileIn(runFolder), JSON.stringify(identity), { mode: 0o600 });
}

/** Ends a server whose host was killed: two servers must never write to the same files. */
export async function endLeftoverRedis(runFolder: string): Promise<void> {
  const identity = await readLeftoverRedis(runFolder);
  if (identity !== null) await endProcesses([identity]);
  await rm(fileIn(runFolder), { force: true });
}

/** The server's process as it was recorded, which may be gone; null without one. */
export async function readLeftoverRedis(runFolder: string): Promise<ProcessIdentity | null> {
  try {
    return identitySchema.parse(JSON.parse(await readFile(fileIn(runFolder), "utf8")));
  } catch {
    return null;
  }
}
