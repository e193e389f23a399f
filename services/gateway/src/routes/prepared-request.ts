import type { GenerationJob } from "@rhone/common";
import type { Writer } from "./answer.js";

/** How a request came: what its body does not say. */
export interface Arrival {
  /** The tail of its id, unique among requests: equal ids are the same generation. */
  readonly id: string;
  readonly lane: GenerationJob["lane"];
  /** Unix milliseconds. */
  readonly arrivedAtMs: number;
  /** Unix milliseconds. */
  readonly deadlineAtMs: number;
}

/** A request that was read, checked and tokenized, and can be run. */
export interface PreparedRequest {
  readonly jobs: readonly GenerationJob[];
  readonly stream: boolean;
  readonly writer: Writer;
}
