import { readFileSync, readlinkSync } from "node:fs";

/** How many times its limit a thread may take by the clock, when others keep it from computing. */
const PATIENCE = 4;
/** What Linux counts a thread's processor time in. */
const TICK_MS = 10;
/** Numbers of the fields behind the command's name in /proc/PID/task/TID/stat, as proc(5) has them, less 3. */
const [USER_TIME, SYSTEM_TIME] = [11, 12];

/** This thread's place under /proc, for `startComputeTimer`; undefined where there is none. */
export function placeOfThread(): string | undefined {
  try {
    return readlinkSync("/proc/thread-self");
  } catch {
    return undefined;
  }
}

/**
 * Calls `late` once the thread at `place` has computed for `limitMs`, so that a machine that is busy does not make a
 * grammar a costly one; at the latest after PATIENCE times that. Where there is no such place, after `limitMs` by the
 * clock. Returns what stops the timer.
 */
export function startComputeTimer(place: string | undefined, limitMs: number, late: () => void): () => void {
  const startedAt = performance.now();
  const before = computedMs(place);
  const check = (): void => {
    const passed = performance.now() - startedAt;
    const now = computedMs(place);
    const computed = before === undefined || now === undefined ? passed : now - before;
    const left = Math.min(limitMs - computed, PATIENCE * limitMs - passed);
    if (left <= 0) late();
    else timer = setTimeout(check, Math.max(left, TICK_MS));
  };
  let timer = setTimeout(check, limitMs);
  return () => clearTimeout(timer);
}

function computedMs(place: string | undefined): number | undefined {
  if (place === undefined) return undefined;
  try {
    const stat = readFileSync(`/proc/${place}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[USER_TIME]) + Number(fields[SYSTEM_TIME])) * TICK_MS;
  } catch {
    return undefined;
  }
}
