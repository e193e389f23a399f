import type { GenerationJob } from "@rhone/common";
import type { JobAddress } from "../queue/generation-client.js";
import type { WriterRecord } from "./writer-record.js";

/** What any gateway needs to go on with a streamed answer, besides the token logs of its jobs. */
export interface StreamRecord {
  readonly writer: WriterRecord;
  readonly jobs: readonly JobAddress[];
  /** Unix milliseconds. */
  readonly deadlineAtMs: number;
  /** Who may read and end it. */
  readonly owner: string;
}

/** Of a request that is about to run. */
export function streamRecordOf(writer: WriterRecord, jobs: readonly GenerationJob[]): StreamRecord {
  const addresses = jobs.map(({ requestId, replyTo, lane }) => ({ requestId, replyTo, lane }));
  const deadlineAtMs = Math.max(...jobs.map((job) => job.deadlineAtMs));
  return { writer, jobs: addresses, deadlineAtMs, owner: jobs[0]?.keyId ?? "" };
}
