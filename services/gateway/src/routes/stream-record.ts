import { type GenerationJob, RhoneError } from "@rhone/common";
import { isOwnedBy } from "../admission/owned.js";
import type { GatewayDeps } from "../gateway-deps.js";
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

/** Never rejects: false if Redis did not take it, and the stream can't be resumed. */
export async function saveStream({ streams, logger }: GatewayDeps, record: StreamRecord): Promise<boolean> {
  const { id } = record.writer.options;
  try {
    await streams.save(id, record, record.deadlineAtMs);
    return true;
  } catch (error) {
    logger.warn({ err: error, id }, "stream not resumable");
    return false;
  }
}

/** Throws NOT_FOUND, also for another's, and REDIS_UNAVAILABLE. */
export async function loadStream({ streams }: GatewayDeps, id: string, owner: string): Promise<StreamRecord> {
  const record = (await streams.load(id)) as StreamRecord | undefined;
  if (record !== undefined && isOwnedBy(owner, record)) return record;
  throw new RhoneError("NOT_FOUND", `There is no stream ${id}; streams are kept for some minutes after their end.`);
}
