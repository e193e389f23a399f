import { lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { formatBytes } from "../format-bytes.js";
import { processStat } from "./process-stat.js";
import { type AvailableMemory, availableMemory } from "./this-machine.js";

// Weights that are not read yet and K/V pages that are not used yet take no memory, so what the machine has left does
// not show them. Each worker writes how much it counts on into a folder of its user, and a supervisor what all of its
// workers will; others subtract the part that is not resident. Where the folder can't be used, or belongs to others,
// and elsewhere than on Linux, nobody claims.

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

/** What a process may count on. */
export interface UnclaimedMemory {
  /** What is available, without what others count on; at least an eighth of it. */
  readonly bytes: number;
  readonly available: AvailableMemory;
  /** Bytes that other processes of Rhone count on and that are not resident. */
  readonly claimed: number;
}

export function unclaimedMemory(folder: string = claimsFolder()): UnclaimedMemory {
  const available = availableMemory();
  const claimed = claimedByOthers(folder);
  const bytes = Math.floor(Math.max(LEAST_SHARE * available.bytes, available.bytes - claimed));
  return { bytes, available, claimed };
}

/** How much of the unclaimed memory `part` bytes are, in words: "30 % of 18.7 GB free". */
export function describePart(part: number, { bytes, available, claimed }: UnclaimedMemory): string {
  const { group } = available;
  const all = formatBytes(available.bytes);
  const free = group === null ? `${all} free` : `${all} left of the ${formatBytes(group.limit)} of ${group.path}`;
  const share = `${Math.round((100 * part) / Math.max(1, bytes))} % of`;
  if (claimed === 0) return `${share} ${free}`;
  const rest = bytes > available.bytes - claimed ? "an eighth" : "the rest";
  const others = `other processes of Rhone count on ${formatBytes(claimed)}`;
  return `${share} ${formatBytes(bytes)}, ${rest} of ${free}: ${others}`;
}

/** What this process counts on, as others see it until it ends. */
export class MemoryClaim {
  readonly #folder: string;

  constructor(folder: string = claimsFolder()) {
    this.#folder = folder;
  }

  /**
   * Claims the `bytes` that `choose` finds in what nobody else claims. Of two that ask at once, the second chooses from
   * what the first has left. Throws what `choose` throws.
   */
  async take<Choice extends { readonly bytes: number }>(choose: (memory: UnclaimedMemory) => Choice): Promise<Choice> {
    const unlock = await lock(this.#folder);
    try {
      const choice = choose(unclaimedMemory(this.#folder));
      this.hold(choice.bytes);
      return choice;
    } finally {
      unlock();
    }
  }

  /**
   * Bytes that it counts on from now on, with those that are resident. Where the process that started it claims memory
   * too, these are a part of that.
   */
  hold(bytes: number): void {
    const startedAt = processStat(process.pid)?.startedAt;
    if (startedAt === undefined || !isOurs(this.#folder)) return;
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

interface Claimant {
  readonly pid: number;
  readonly parent: number;
  readonly bytes: number;
  readonly resident: number;
}

function claimedByOthers(folder: string): number {
  const claimants = isOurs(folder) ? claimantsIn(folder) : [];
  const left = ({ pid, bytes, resident }: Claimant): number => {
    const parts = claimants.filter(({ parent }) => parent === pid);
    return Math.max(0, bytes - resident - sumOf(parts.map((part) => Math.max(part.bytes, part.resident))));
  };
  return sumOf(claimants.filter(({ pid }) => pid !== process.pid).map(left));
}

const sumOf = (each: readonly number[]): number => each.reduce((sum, bytes) => sum + bytes, 0);

/** Of live processes, this one included. Removes the claims of those that ended. */
function claimantsIn(folder: string): readonly Claimant[] {
  const claimants: Claimant[] = [];
  for (const name of readdirSync(folder)) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const claim = readClaim(join(folder, name));
    const stat = processStat(pid);
    if (claim !== null && stat !== null && claim.startedAt === stat.startedAt) {
      claimants.push({ pid, parent: stat.parent, bytes: claim.bytes, resident: residentOf(pid) });
    } else rmSync(join(folder, name), { force: true });
  }
  return claimants;
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

const residentOf = (pid: number): number =>
  1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(proc(pid, "status") ?? "")?.[1] ?? 0);

function proc(pid: number, file: string): string | null {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return null;
  }
}
