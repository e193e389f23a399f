import type { GenerationEvent, GenerationJob, QueuedJob } from "@rhone/common";

/** Enough of a job to find it after it was submitted. */
export type JobAddress = Pick<GenerationJob, "requestId" | "replyTo" | "model" | "lane" | "keyId">;

/**
 * What there is of the jobs of a request. absent: neither jobs nor logs; open: some job waits or runs; cut: no job,
 * and some log has no end; ended: all logs have their end.
 */
export type JobsState = "absent" | "open" | "cut" | "ended";

export interface GenerateOptions {
  /** Asked when its reader stops early: whether the sequence goes on. */
  readonly detached: () => boolean;
  /** Called once the job is in the queue: from here on it outlives this gateway. */
  readonly queued?: (() => void) | undefined;
}

/** Generates sequences somewhere else. */
export interface GenerationClient {
  /**
   * Generates one sequence: its events in order, each exactly once, up to the one with `finish`. Throws a RhoneError
   * when the generation fails or its deadline passes, and the reason of `signal` when it is aborted. A reader that
   * stops early cancels the sequence, unless it is `detached`, or of a batch and the reason is SHUTTING_DOWN: then it
   * goes on, and submitting the same job again finds it.
   */
  generate(
    job: GenerationJob,
    signal: AbortSignal,
    options?: GenerateOptions,
  ): AsyncGenerator<GenerationEvent, void, undefined>;

  /** All events of a sequence that some gateway submitted. Stopping early cancels nothing. */
  follow(job: JobAddress, signal: AbortSignal): AsyncGenerator<GenerationEvent, void, undefined>;

  /** How many events of a sequence there are so far. Throws REDIS_UNAVAILABLE. */
  logLength(job: JobAddress): Promise<number>;

  /** Whether a sequence's last event is there. Throws REDIS_UNAVAILABLE, and RECORD_UNREADABLE. */
  hasEnded(job: JobAddress): Promise<boolean>;

  /** Of the jobs of one request. Throws REDIS_UNAVAILABLE, and RECORD_UNREADABLE. */
  stateOf(jobs: readonly JobAddress[]): Promise<JobsState>;

  /** Ends a sequence, queued or running. Does nothing to one that has ended. */
  cancel(job: QueuedJob): Promise<void>;
}
