import { setTimeout as sleep } from "node:timers/promises";
import { askOperations, type ClusterStatus, checkClusterStatus, RhoneError, type Security } from "@rhone/common";
import type { Report } from "./progress.js";
import { phaseResult, pipelineError, pipelineProgress } from "./progress.js";

export interface WatchOptions {
  /** host:port of the coordinator's operations server. */
  readonly operations: string;
  readonly security: Security;
  readonly workers: number;
  /** Other machines may join, so that a model which does not fit yet is waited for. */
  readonly admits?: boolean;
  readonly report: Report;
  readonly signal: AbortSignal;
}

const PHASES = ["workers", "weights", "probe"] as const;
const POLL_MS = 150;
/** One that hangs is asked again, as one that restarts. */
const ANSWER_DEADLINE_MS = 5000;
/** A pipeline that stays failed for longer is given up. */
const FAILED_FOR_MS = 3000;
const MOST_FAILURES = 3;
/** A pipeline without any progress for longer is given up. */
const STALLED_MS = 180_000;

/** Reports the progress of a pipeline until it is ready. Throws its error when it fails, NO_PIPELINE when it stalls. */
export async function watchPipeline(options: WatchOptions): Promise<void> {
  const { operations, security, workers, admits = false, report, signal } = options;
  const stall = new StallWatch(performance.now());
  let reached = 0;
  for (;;) {
    signal.throwIfAborted();
    const status = await readStatus(operations, { security, signal });
    if (status !== null) {
      const { phase, text } = pipelineProgress(status, workers);
      const current = status.state === "ready" ? PHASES.length : PHASES.indexOf(phase);
      for (; reached < current; reached++) {
        const over = PHASES[reached] ?? phase;
        report({ kind: "phase", phase: over, text: phaseResult(over, status, workers), done: true });
      }
      if (status.state === "ready") return;
      if (admits && lacksMachines(status)) {
        const waiting = `${status.workers.length} joined; waiting for further machines: ${status.reason}`;
        report({ kind: "phase", phase: "workers", text: waiting, done: false });
        await sleep(POLL_MS, undefined, { signal }).catch(() => {});
        continue;
      }
      if (status.state !== "failed" && current >= reached) report({ kind: "phase", phase, text, done: false });
      stall.check(status, performance.now());
    }
    await sleep(POLL_MS, undefined, { signal }).catch(() => {});
  }
}

const lacksMachines = ({ state, reason }: ClusterStatus): boolean =>
  state === "failed" && reason?.startsWith("NOT_ENOUGH_MEMORY") === true;

/** Decides when to give up a pipeline that does not become ready. */
export class StallWatch {
  #seen = "";
  #movedAt: number;
  #failedAt: number | undefined;
  #failures = 0;

  constructor(nowMs: number) {
    this.#movedAt = nowMs;
  }

  /** Throws the pipeline's own error when it fails for longer than 3 s or 3 times, NO_PIPELINE when it stalls. */
  check(status: Pick<ClusterStatus, "state" | "reason" | "workers">, now: number): void {
    const failed = status.state === "failed";
    if (failed && this.#failedAt === undefined) {
      this.#failedAt = now;
      this.#failures++;
    } else if (!failed) this.#failedAt = undefined;
    const failedForMs = this.#failedAt === undefined ? 0 : now - this.#failedAt;
    if (failedForMs > FAILED_FOR_MS || this.#failures >= MOST_FAILURES) throw pipelineError(status.reason);

    const amounts = status.workers.map(({ worker, loadedBytes, preparing }) => [worker, loadedBytes, preparing]);
    const seen = JSON.stringify([status.state, amounts]);
    if (seen !== this.#seen) this.#movedAt = now;
    this.#seen = seen;
    if (now - this.#movedAt > STALLED_MS) {
      const reason = status.reason ?? status.state;
      throw new RhoneError("NO_PIPELINE", `The pipeline has made no progress for ${STALLED_MS / 1000} s: ${reason}.`);
    }
  }
}

/**
 * GET /status of the coordinator's operations server (host:port); null while it does not answer, as during a restart.
 * Throws RECORD_UNREADABLE for one of another version.
 */
export async function readStatus(
  operations: string,
  { security, signal }: { readonly security: Security; readonly signal: AbortSignal },
): Promise<ClusterStatus | null> {
  const either = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_DEADLINE_MS)]);
  const status: unknown = await askOperations(operations, "/status", { security, signal: either })
    .then(({ code, body }) => (code === 200 ? JSON.parse(body) : null))
    .catch(() => null);
  return status === null ? null : checkClusterStatus(status, `The coordinator at ${operations}`);
}
