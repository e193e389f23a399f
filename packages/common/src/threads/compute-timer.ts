import { readFileSync, readlinkSync } from "node:fs";

/** How many times its limit a thread may take by the clock, when others keep it from computing. */
const PATIENCE = 8;

/** A thread that is late: the work costs more than the limit, or the machine is too busy for it. */
export interface Lateness {
  readonly reason: "cost" | "busy machine";
  /** What it has computed, and how long that took by the clock, in whole milliseconds. */
  readonly computedMs: number;
  readonly passedMs: number;
}
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
 * grammar a costly one; at the latest after PATIENCE times that, for the busy machine. Where there is no such place,
 * after `limitMs` by the clock, for the cost. Returns what stops the timer.
 */
export function startComputeTimer(
  place: string | undefined,
  limitMs: number,
  late: (lateness: Lateness) => void,
): () => void {
  const startedAt = performance.now();
  const before = computedMs(place);
  const check = (): void => {
    const passed = performance.now() - startedAt;
    const now = computedMs(place);
    const computed = before === undefined || now === undefined ? passed : now - before;
    const left = Math.min(limitMs - computed, PATIENCE * limitMs - passed);
    const reason = computed < limitMs ? "busy machine" : "cost";
    if (left <= 0) late({ reason, computedMs: Math.round(computed), passedMs: Math.round(passed) });
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
