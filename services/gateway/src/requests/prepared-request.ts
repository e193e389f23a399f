import { randomUUID } from "node:crypto";
import type { GenerationJob } from "@rhone/common";
import type { FastifyRequest } from "fastify";
import type { Writer } from "../answers/writer.js";
import type { WriterRecord } from "../answers/writer-record.js";
import type { GatewayDeps } from "../gateway-deps.js";
import { timeoutOf } from "../http/request-deadline.js";

/** How a request came: what its body does not say. */
export interface Arrival {
  /** The tail of its id, unique among requests: equal ids are the same generation. */
  readonly id: string;
  readonly lane: GenerationJob["lane"];
  /** Who sent it; "" where no keys are asked for. */
  readonly owner: string;
  /** Unix milliseconds. */
  readonly arrivedAtMs: number;
  /** Unix milliseconds. */
  readonly deadlineAtMs: number;
}

/** A request that was read, checked and tokenized, and can be run. */
export interface PreparedRequest {
  readonly jobs: readonly GenerationJob[];
  /** Whether the request says how many tokens its answer may have. */
  readonly statesLimit: boolean;
  readonly stream: boolean;
  readonly writer: Writer;
  /** What another gateway builds the writer from; undefined for an answer that can't be streamed. */
  readonly record: WriterRecord | undefined;
  /** A stream's events have ids, and its generation goes on when the client leaves. */
  readonly resumable: boolean;
  /** Jobs that are in the queue or running at a time; all of them when absent. */
  readonly atOnce?: number;
}

/** One that has just come in over HTTP. Throws INVALID_REQUEST for a deadline beyond the longest. */
export function arrivalNow({ requestTimeoutMs }: GatewayDeps, { caller, headers }: FastifyRequest): Arrival {
  const arrivedAtMs = Date.now();
  const deadlineAtMs = arrivedAtMs + timeoutOf(headers, requestTimeoutMs);
  return { id: randomUUID(), lane: "interactive", owner: caller.owner, arrivedAtMs, deadlineAtMs };
}
