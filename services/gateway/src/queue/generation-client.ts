import type { GenerationEvent, GenerationJob } from "@rhone/common";

/** Where sequences are generated, as the routes see it. */
export interface GenerationClient {
  /**
   * Generates one sequence: its events in order, each exactly once, up to the one with `finish`. Throws a RhoneError when the
   * generation fails, when its deadline passes, or with the reason of `signal` when that is aborted. Whoever stops reading early
   * cancels it, unless that reason is SHUTTING_DOWN: then it goes on, and the same job submitted again finds it.
   */
  generate(job: GenerationJob, signal: AbortSignal): AsyncGenerator<GenerationEvent, void, undefined>;
}
