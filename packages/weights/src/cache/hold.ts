import { rmSync } from "node:fs";
import { readFile, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { removeLeft } from "@rhone/common";
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

  /**
   * `value` is for those who look. False when another process holds it. Throws when the folder is missing, and
   * DISK_FULL.
   */
  async take(path: string, value = 0): Promise<boolean> {
    if ((await heldValue(path)) !== null) return false;
    try {
      await removeLeft(path, async () => (await heldValue(path)) === null);
      await writeFile(path, JSON.stringify([hostname(), process.pid, value]), { flag: "wx", mode: 0o600 });
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

/**
 * The value that a process which lives holds the file with; null: nobody holds it. A process of another machine that
 * shares the folder has to touch it.
 */
export async function heldValue(path: string): Promise<number | null> {
  try {
    const { mtimeMs } = await stat(path);
    return Date.now() - mtimeMs < HELD_MS ? valueIn(await readFile(path, "utf8")) : null;
  } catch {
    return null;
  }
}

/** Null for a process of this machine that is gone. */
function valueIn(text: string): number | null {
  const [host, pid, value = 0] = parsed(text);
  return host === hostname() && isGone(pid) ? null : value;
}

/** A text that is not whole is just being written. */
function parsed(text: string): [host?: string, pid?: number, value?: number] {
  try {
    return JSON.parse(text);
  } catch {
    return [];
  }
}

function isGone(pid = 0): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}
