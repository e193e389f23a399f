/** Thrown into the run of a job that goes back to its queue, for an earlier turn or for another coordinator. */
export class HandedBack extends Error {}

/** A job that a coordinator has taken from a queue. */
export interface HeldJob {
  readonly requestId: string;
  readonly turn: number;
  readonly route: string;
  /** Of its lock. */
  readonly token: string;
}

/** A job that may go back. `lacks`: rows of its prompt that are to be computed here. */
export interface UnbegunJob extends HeldJob {
  readonly lacks: number;
}

export interface HeldJobsOptions {
  /** Rows that a job will have to compute; null when it has begun or ended. */
  readonly lackingOf: (requestId: string) => number | null;
  /** Gives a job up; false when it has begun. */
  readonly handBack: (requestId: string, reason: Error) => boolean;
}

/** The jobs that a coordinator has taken from a queue. */
export class HeldJobs {
  readonly #jobs = new Map<string, HeldJob>();
  readonly #options: HeldJobsOptions;

  constructor(options: HeldJobsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#jobs.size;
  }

  add(job: HeldJob): void {
    this.#jobs.set(job.requestId, job);
  }

  /** Keeps one that was added for the same request since: the job was taken again. */
  delete(job: HeldJob): void {
    if (this.has(job)) this.#jobs.delete(job.requestId);
  }

  has(job: HeldJob): boolean {
    return this.#jobs.get(job.requestId) === job;
  }

  all(): readonly HeldJob[] {
    return [...this.#jobs.values()];
  }

  /** Jobs that have not begun, the last turns first, `most` of them at most. */
  unbegun(most: number): readonly UnbegunJob[] {
    const found: UnbegunJob[] = [];
    for (const job of this.#lastFirst()) {
      if (found.length >= most) break;
      const lacks = this.#options.lackingOf(job.requestId);
      if (lacks !== null) found.push({ ...job, lacks });
    }
    return found;
  }

  /** Hands a job back for another coordinator, unless it has begun or ended. */
  give({ requestId }: HeldJob): void {
    this.#options.handBack(requestId, new HandedBack("Another coordinator of the model would finish it sooner."));
  }

  /**
   * Hands back a job for each one that waits with an earlier turn, the last turns first. `waiting`: turns, ascending.
   */
  makeWay(waiting: readonly number[]): void {
    const held = this.#lastFirst();
    for (const turn of waiting) {
      for (const { requestId, turn: its } of held) {
        if (its <= turn) return;
        const reason = new HandedBack(`A job whose turn is ${turn} goes before turn ${its}.`);
        if (this.#options.handBack(requestId, reason)) break;
      }
    }
  }

  /** For one walk, over all jobs. */
  #lastFirst() {
    return this.all()
      .toSorted((a, b) => b.turn - a.turn)
      .values();
  }
}
