import type { GenerationEvent, GenerationJob, QueuedJob } from "@rhone/common";

/** Enough of a job to find it after it was submitted. */
export type JobAddress = Pick<GenerationJob, "requestId" | "replyTo" | "model" | "lane" | "keyId">;

/** Generates sequences somewhere else. */
export interface GenerationClient {
  /**
   * Generates one sequence: its events in order, each exactly once, up to the one with `finish`. Throws a RhoneError
   * when the generation fails or its deadline passes, and the reason of `signal` when it is aborted. A reader that
   * stops early cancels the sequence, unless it is `detached` or the reason is SHUTTING_DOWN: then it goes on, and
   * submitting the same job again finds it.
   */
  generate(
    job: GenerationJob,
    signal: AbortSignal,
    options?: { readonly detached: boolean },
  ): AsyncGenerator<GenerationEvent, void, undefined>;

  /** All events of a sequence that some gateway submitted. Stopping early cancels nothing. */
  follow(job: JobAddress, signal: AbortSignal): AsyncGenerator<GenerationEvent, void, undefined>;

  /** How many events of a sequence there are so far. Throws REDIS_UNAVAILABLE. */
  logLength(job: JobAddress): Promise<number>;

  /** Whether a sequence's last event is there. Throws REDIS_UNAVAILABLE, and RECORD_UNREADABLE. */
  hasEnded(job: JobAddress): Promise<boolean>;

  /** Ends a sequence, queued or running. Does nothing to one that has ended. */
  cancel(job: QueuedJob): Promise<void>;
}
