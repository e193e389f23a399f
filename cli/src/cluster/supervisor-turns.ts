import { stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { DataDir } from "../data-dir.js";
import { TOUCH_MS } from "./cluster-record.js";

const POLL_MS = 100;

/**
 * Whether the supervisor of a data directory's cluster touches its record within `deadlineMs`. One that does not hangs
 * or was stopped, and starts nothing again.
 */
export async function supervisorTurns({ clusterFile }: DataDir, deadlineMs = 4 * TOUCH_MS): Promise<boolean> {
  const changedAt = async (): Promise<number> => (await stat(clusterFile)).mtimeMs; // throws when the cluster has ended
  const before = await changedAt();
  const deadline = performance.now() + deadlineMs;
  while (performance.now() < deadline) {
    await sleep(POLL_MS);
    if ((await changedAt()) !== before) return true;
  }
  return false;
}
