import { RhoneError } from "@rhone/common";
import type { GenerationClient, JobAddress } from "../queue/generation-client.js";
import type { RunObserver } from "./run-request.js";

const LOOK_MS = 5000;
/** Longer than a gateway takes to put a job back that Redis lost. */
export const LOST_AFTER_MS = 45_000;

/**
 * Looks for the jobs of a request that is followed while nothing comes of it. A gateway that is killed before all of
 * them are queued, a job that is cancelled while it waits, and a Redis that loses its data along with its gateway leave
 * readers of events that nobody will write.
 */
export class LostJobs implements RunObserver {
  readonly #client: Pick<GenerationClient, "stateOf">;
  readonly #jobs: readonly JobAddress[];
  readonly #lost = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #hasTaken = false;
  /** When they were first missed; performance clock. */
  #missedAt: number | undefined;

  constructor(client: Pick<GenerationClient, "stateOf">, jobs: readonly JobAddress[]) {
    this.#client = client;
    this.#jobs = jobs;
  }

  /** Aborted with GENERATION_LOST once no job waits or runs, and a log has no end, for `LOST_AFTER_MS`. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  began(): void {
    this.#lookLater();
  }

  took(): void {
    this.#hasTaken = true;
  }

  ended(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #lookLater(): void {
    this.#timer = setTimeout(() => void this.#look(), LOOK_MS).unref();
  }

  async #look(): Promise<void> {
    const state = this.#hasTaken ? "open" : await this.#client.stateOf(this.#jobs).catch(() => "open" as const);
    this.#hasTaken = false;
    if (this.#timer === undefined || state === "ended") return;
    if (state === "open") this.#missedAt = undefined;
    else this.#missedAt ??= performance.now();
    if (this.#missedAt === undefined || performance.now() - this.#missedAt < LOST_AFTER_MS) return this.#lookLater();
    const missing = `None of its ${this.#jobs.length} jobs was queued or ran for ${LOST_AFTER_MS / 1000} s`;
    this.#lost.abort(new RhoneError("GENERATION_LOST", `${missing}; send the request again.`));
  }
}
