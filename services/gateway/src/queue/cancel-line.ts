import { FairLine, type QueuedJob, queueName } from "@rhone/common";

/** Jobs that are cancelled together. */
const SLICE = 64;
/** Slices that are cancelled at a time. */
const AT_ONCE = 2;

interface Slice {
  readonly jobs: QueuedJob[];
  readonly done: Promise<void>;
}

/**
 * Cancels jobs in slices of 64 that have queue and API key in common. Slices that wait take turns by API key. None is
 * refused, as its jobs would go on for nobody; the number of unfinished jobs bounds those that wait.
 */
export class CancelLine {
  readonly #cancel: (jobs: readonly QueuedJob[]) => Promise<void>;
  readonly #line = new FairLine({ atOnce: AT_ONCE });
  /** The slices that have room and have not begun. */
  readonly #open = new Map<string, Slice>();

  constructor(cancel: (jobs: readonly QueuedJob[]) => Promise<void>) {
    this.#cancel = cancel;
  }

  /** Resolves or rejects as `cancel` does for the job's slice. */
  add(job: QueuedJob): Promise<void> {
    const kind = `${queueName(job)}:${job.keyId}`;
    const open = this.#open.get(kind);
    if (open === undefined) return this.#begin(kind, job);
    if (open.jobs.push(job) === SLICE) this.#open.delete(kind);
    return open.done;
  }

  /** In a later microtask, so that all jobs of a request are there. */
  #begin(kind: string, job: QueuedJob): Promise<void> {
    const jobs = [job];
    const run = (): Promise<void> => {
      if (this.#open.get(kind)?.jobs === jobs) this.#open.delete(kind);
      return this.#cancel(jobs);
    };
    const done = Promise.resolve().then(() => this.#line.run(job.keyId, run));
    this.#open.set(kind, { jobs, done });
    return done;
  }
}
