import { rmSync } from "node:fs";
import { readFile, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { diskError } from "../files/disk-error.js";

/** How often a process touches what it holds, and after how long without a touch it holds it no more. */
const TOUCH_MS = 10_000;
const HELD_MS = 120_000;

/** Files by which this process tells others what it holds, for as long as it lives or until it lets go. */
export class Holds {
  readonly #paths = new Set<string>();
  readonly #timer: NodeJS.Timeout;

  constructor() {
    this.#timer = setInterval(() => void this.#touch(), TOUCH_MS).unref();
  }

  /** False when another process holds it. Throws when the folder is missing, and DISK_FULL. */
  async take(path: string): Promise<boolean> {
    if (await isHeld(path)) return false;
    rmSync(path, { force: true });
    try {
      await writeFile(path, JSON.stringify([hostname(), process.pid]), { flag: "wx", mode: 0o600 });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
      throw diskError(error, path);
    }
    this.#paths.add(path);
    return true;
  }

  /** At once, so that a process may let go while it ends. */
  letGo(path: string): void {
    this.#paths.delete(path);
    rmSync(path, { force: true });
  }

  close(): void {
    clearInterval(this.#timer);
    for (const path of this.#paths) this.letGo(path);
  }

  async #touch(): Promise<void> {
    const now = new Date();
    for (const path of this.#paths) await utimes(path, now, now).catch(() => {});
  }
}

/** Whether a process that lives holds the file: one of another machine that shares the folder has to touch it. */
export async function isHeld(path: string): Promise<boolean> {
  try {
    const { mtimeMs } = await stat(path);
    return Date.now() - mtimeMs < HELD_MS && lives(await readFile(path, "utf8"));
  } catch {
    return false;
  }
}

/** False only for a process of this machine that is gone. */
function lives(owner: string): boolean {
  try {
    const [host, pid] = JSON.parse(owner) as [string, number];
    if (host === hostname()) process.kill(pid, 0);
    return true;
  } catch (error) {
    // No JSON: it is just being written.
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}
