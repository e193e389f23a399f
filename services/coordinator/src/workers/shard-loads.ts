import { isErrorCode, RhoneError, type WorkerMessage } from "@rhone/common";
import type { rhone } from "@rhone/proto";
import type { Member } from "./member.js";

export type ShardSpec = Omit<rhone.v1.LoadShard.$Properties, "load" | "$unknowns">;

/** A worker that tells nothing of a load for so long is stuck; however long the load takes, progress keeps it alive. */
const SILENT_LOAD_MS = 120_000;

interface PendingLoad {
  readonly progressed: () => void;
  readonly ready: () => void;
  readonly failed: (error: RhoneError) => void;
}

/** The loads that workers were told to do and have not answered. */
export class ShardLoads {
  readonly #pending = new Map<number, PendingLoad>();
  #load = 0;

  /**
   * Resolves when `member` holds the shard, at once if it holds it already. Rejects with the worker's error, with
   * STAGE_FAILED when it falls silent, with the signal's reason when it aborts.
   */
  async load(member: Member, spec: ShardSpec, signal: AbortSignal): Promise<void> {
    const key = JSON.stringify(spec);
    if (member.loaded === key) return;
    member.loaded = null;
    const load = ++this.#load;
    try {
      const answered = this.#answer(load, member, signal);
      member.send({ load: { load, ...spec } });
      await answered;
    } finally {
      this.#pending.delete(load);
    }
    member.loaded = key;
  }

  hear(member: Member, { progress, ready, failed }: WorkerMessage): void {
    if (progress != null) this.#pending.get(progress.load ?? 0)?.progressed();
    if (ready != null) this.#pending.get(ready.load ?? 0)?.ready();
    if (failed != null) {
      const code = isErrorCode(failed.code ?? "") ? (failed.code as "STAGE_FAILED") : "STAGE_FAILED";
      const message = `Worker ${member.worker} could not load its shard: ${failed.message}`;
      this.#pending.get(failed.load ?? 0)?.failed(new RhoneError(code, message));
    }
  }

  #answer(load: number, member: Member, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", aborted);
        act();
      };
      const aborted = (): void => settle(() => reject(signal.reason));
      const stuck = `Worker ${member.worker} has said nothing of its load for ${SILENT_LOAD_MS / 1000} s.`;
      const timer = setTimeout(() => settle(() => reject(new RhoneError("STAGE_FAILED", stuck))), SILENT_LOAD_MS);
      signal.addEventListener("abort", aborted, { once: true });
      this.#pending.set(load, {
        progressed: () => timer.refresh(),
        ready: () => settle(resolve),
        failed: (error) => settle(() => reject(error)),
      });
    });
  }
}
