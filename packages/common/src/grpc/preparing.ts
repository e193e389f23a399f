import { rhone } from "@rhone/proto";
import type { Preparing } from "../cluster/cluster-status.js";

const PHASES: ReadonlyMap<rhone.v1.LoadPhase, Preparing["phase"]> = new Map<rhone.v1.LoadPhase, Preparing["phase"]>([
  [rhone.v1.LoadPhase.PHASE_CHECK, "check"],
  [rhone.v1.LoadPhase.PHASE_FETCH, "fetch"],
]);

/** What a worker's message says of it; null: it loads them already. */
export function preparingOf(progress: rhone.v1.LoadProgress.$Properties): Preparing | null {
  const phase = PHASES.get(progress.phase ?? 0);
  return phase === undefined ? null : { phase, bytes: progress.bytes ?? 0, totalBytes: progress.totalBytes ?? 0 };
}
