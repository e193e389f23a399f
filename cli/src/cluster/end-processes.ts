import { setTimeout as sleep } from "node:timers/promises";
import type { RecordedProcess } from "./cluster-record.js";
import { isAlive, signalProcess } from "./process-identity.js";

const POLL_MS = 50;
const DEADLINE_MS = 10_000;

/** SIGTERM to each, SIGKILL to those that still run after a while. Resolves when all are gone. */
export async function endProcesses(processes: readonly RecordedProcess[]): Promise<void> {
  for (const each of processes) signalProcess(each, "SIGTERM");
  await untilGone(processes, DEADLINE_MS);
  for (const each of processes) signalProcess(each, "SIGKILL");
  await untilGone(processes, DEADLINE_MS);
}

/** Waits at most `deadlineMs`; true when all are gone. */
export async function untilGone(processes: readonly RecordedProcess[], deadlineMs: number): Promise<boolean> {
  const deadline = performance.now() + deadlineMs;
  while (processes.some(isAlive)) {
    if (performance.now() > deadline) return false;
    await sleep(POLL_MS);
  }
  return true;
}
