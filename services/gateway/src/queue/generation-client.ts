import type { GenerationEvent, GenerationJob } from "@rhone/common";

/** Where to find a job that was submitted. */
export type JobAddress = Pick<GenerationJob, "requestId" | "replyTo" | "lane">;

/** Where sequences are generated, as the routes see it. */
export interface GenerationClient {
  /**
   * Generates one sequence: its events in order, each exactly once, up to the one with `finish`. Throws a RhoneError when the
   * generation fails, when its deadline passes, or with the reason of `signal` when that is aborted. Whoever stops reading early
   * cancels it, unless it is `detached` or that reason is SHUTTING_DOWN: then it goes on, and the same job submitted again finds it.
   */
  generate(
    job: GenerationJob,
    signal: AbortSignal,
    options?: { readonly detached: boolean },
  ): AsyncGenerator<GenerationEvent, void, undefined>;

  /** All events of a sequence that was submitted before, by whatever gateway, as `generate` gives them. Leaving cancels nothing. */
  follow(job: JobAddress, signal: AbortSignal): AsyncGenerator<GenerationEvent, void, undefined>;

  /** Ends a sequence wherever it is; nothing happens to one that has ended. */
  cancel(job: JobAddress): Promise<void>;
}
