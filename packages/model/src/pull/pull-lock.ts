import { open, readFile, rm } from "node:fs/promises";
import { RhoneError } from "@rhone/common/rhone-error";

/**
 * Runs `work` under a lock on `path`: a file beside it with the owner's process id. Takes over a lock whose owner is
 * gone. Throws ALREADY_RUNNING while the owner is alive.
 */
export async function withPullLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  const lockPath = `${path}.lock`;
  await takeLock(path, lockPath);
  try {
    return await work();
  } finally {
    await rm(lockPath, { force: true });
  }
}

async function takeLock(path: string, lockPath: string): Promise<void> {
  if (await tryCreate(lockPath)) return;
  const owner = Number(await readFile(lockPath, "utf8").catch(() => ""));
  if (isAlive(owner)) {
    throw new RhoneError("ALREADY_RUNNING", `Process ${owner} is already pulling ${path}; wait for it or stop it.`);
  }
  await rm(lockPath, { force: true });
  if (await tryCreate(lockPath)) return;
  throw new RhoneError("ALREADY_RUNNING", `Another process has just started to pull ${path}; wait for it.`);
}

async function tryCreate(lockPath: string): Promise<boolean> {
  try {
    const handle = await open(lockPath, "wx");
    await handle.writeFile(String(process.pid));
    await handle.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
