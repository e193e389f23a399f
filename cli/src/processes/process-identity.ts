import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** A process, told apart from a later one with the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** When it started, as this system writes it; compared, never read. */
  readonly startedAt: string;
}

/** The living process that has this number now, or null. A zombie is not alive. */
export function identifyProcess(pid: number): ProcessIdentity | null {
  const found = look(pid);
  return found === null ? null : { pid, startedAt: found.startedAt };
}

export function isAlive({ pid, startedAt }: ProcessIdentity): boolean {
  return identifyProcess(pid)?.startedAt === startedAt;
}

/** Alive, and stopped by a signal: it does nothing until SIGCONT. */
export function isStopped({ pid, startedAt }: ProcessIdentity): boolean {
  const found = look(pid);
  return found?.startedAt === startedAt && found.state === "T";
}

/** Signals this process, never a later one with its number; false when it is gone. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isAlive(identity)) return false;
  try {
    return process.kill(identity.pid, signal);
  } catch {
    return false; // it ended in between
  }
}

const POLL_MS = 50;
const DEADLINE_MS = 10_000;

/** Asks a process to end, be it stopped: it is woken to hear it. */
export function askToEnd(process: ProcessIdentity): void {
  for (const signal of ["SIGTERM", "SIGCONT"] as const) signalProcess(process, signal);
}

/** SIGTERM to each, SIGKILL to those that still run after 10 s. Resolves when all are gone. */
export async function endProcesses(processes: readonly ProcessIdentity[]): Promise<void> {
  for (const each of processes) askToEnd(each);
  await untilGone(processes, DEADLINE_MS);
  for (const each of processes) signalProcess(each, "SIGKILL");
  await untilGone(processes, DEADLINE_MS);
}

/** Waits at most `deadlineMs`; true when all are gone. */
export async function untilGone(processes: readonly ProcessIdentity[], deadlineMs: number): Promise<boolean> {
  const deadline = performance.now() + deadlineMs;
  while (processes.some(isAlive)) {
    if (performance.now() > deadline) return false;
    await sleep(POLL_MS);
  }
  return true;
}

interface Look {
  /** A letter, as ps(1) writes it. */
  readonly state: string;
  readonly startedAt: string;
}

function look(pid: number): Look | null {
  const found = process.platform === "linux" ? lookOnLinux(pid) : lookByPs(pid);
  return found === null || found.state === "Z" || found.state === "X" ? null : found;
}

/** "boot id:clock ticks since boot", from the 22nd field of /proc/PID/stat; the 2nd may hold blanks and brackets. */
function lookOnLinux(pid: number): Look | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [state, ticks] = [fields[0], fields[19]];
    if (state === undefined || ticks === undefined) return null;
    return { state, startedAt: `${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()}:${ticks}` };
  } catch {
    return null;
  }
}

function lookByPs(pid: number): Look | null {
  try {
    const options = { encoding: "utf8", env: { LC_ALL: "C", PATH: "/bin:/usr/bin" }, stdio: "pipe" } as const;
    const line = execFileSync("ps", ["-o", "stat=,lstart=", "-p", String(pid)], options).trim();
    return line === "" ? null : { state: line.slice(0, 1), startedAt: line.slice(line.indexOf(" ")).trim() };
  } catch {
    return null;
  }
}
