import { lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { availableMemory } from "./this-machine.js";

// Weights that are not read yet and K/V pages that are not used yet take no memory, so what the machine has left does
// not show them. Each worker writes how much it counts on into a folder of its user; others subtract the part that is
// not resident. Where the folder can't be used, or belongs to others, and elsewhere than on Linux, nobody claims.

const LOCK = "lock";
const LOCK_POLL_MS = 10;
/** To write a file takes much less: who held it was killed. */
const LOCK_STALE_MS = 2000;
/** Of what the machine has left, whatever others claim: they may never use it, and a cluster must start again. */
const LEAST_SHARE = 1 / 8;

interface Claim {
  readonly startedAt: string;
  readonly bytes: number;
}

const claimsFolder = (): string => join(tmpdir(), `rhone-memory-${process.getuid?.() ?? 0}`);

/** Bytes that this process may count on: what is available, without what other workers count on; at least an eighth. */
export function unclaimedMemory(folder: string = claimsFolder()): number {
  const available = availableMemory();
  return Math.floor(Math.max(LEAST_SHARE * available, available - claimedByOthers(folder)));
}

/** What this process counts on, as others see it until it ends. */
export class MemoryClaim {
  readonly #folder: string;

  constructor(folder: string = claimsFolder()) {
    this.#folder = folder;
  }

  /** Claims a share of what nobody else claims. Of two that ask at once, one gets what the other left. */
  async take(share: number): Promise<number> {
    const unlock = await lock(this.#folder);
    try {
      const bytes = Math.floor(unclaimedMemory(this.#folder) * share);
      this.hold(bytes);
      return bytes;
    } finally {
      unlock();
    }
  }

  /** Bytes that it counts on from now on, with those that are resident. */
  hold(bytes: number): void {
    const startedAt = startOf(process.pid);
    if (startedAt === null || !isOurs(this.#folder)) return;
    try {
      const draft = join(this.#folder, `${process.pid}.draft`);
      writeFileSync(draft, JSON.stringify({ startedAt, bytes } satisfies Claim));
      renameSync(draft, join(this.#folder, String(process.pid)));
    } catch {
      // a full disk: nobody learns of it
    }
  }

  close(): void {
    rmSync(join(this.#folder, String(process.pid)), { force: true });
  }
}

function claimedByOthers(folder: string): number {
  if (!isOurs(folder)) return 0;
  let sum = 0;
  for (const name of readdirSync(folder)) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const claim = readClaim(join(folder, name));
    if (claim !== null && claim.startedAt === startOf(pid)) sum += Math.max(0, claim.bytes - residentOf(pid));
    else rmSync(join(folder, name), { force: true }); // of a process that ended
  }
  return sum;
}

function readClaim(path: string): Claim | null {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Claim;
  } catch {
    return null;
  }
}

/** Whether the folder is there and nobody else may write to it. */
function isOurs(folder: string): boolean {
  try {
    mkdirSync(folder, { mode: 0o700 });
    return true;
  } catch {
    const stat = lstatSync(folder, { throwIfNoEntry: false });
    return stat?.isDirectory() === true && stat.uid === process.getuid?.() && (stat.mode & 0o077) === 0;
  }
}

async function lock(folder: string): Promise<() => void> {
  if (!isOurs(folder)) return () => {};
  const path = join(folder, LOCK);
  for (;;) {
    try {
      mkdirSync(path);
      return () => rmSync(path, { recursive: true, force: true });
    } catch (error) {
      // A full disk, or a folder that was removed: nobody can claim.
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") return () => {};
      const age = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
      // One of the future is older than a clock that was set back.
      if (Math.abs(age) > LOCK_STALE_MS) rmSync(path, { recursive: true, force: true });
      else await sleep(LOCK_POLL_MS);
    }
  }
}

/** The 22nd field of /proc/PID/stat, ticks since the machine started; the 2nd may hold blanks and brackets. */
const startOf = (pid: number): string | null => proc(pid, "stat")?.replace(/^.*\)/s, "").trim().split(" ")[19] ?? null;

const residentOf = (pid: number): number =>
  1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(proc(pid, "status") ?? "")?.[1] ?? 0);

function proc(pid: number, file: string): string | null {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return null;
  }
}
