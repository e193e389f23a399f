import { type GenerationJob, RhoneError } from "@rhone/common";
import type { GatewayDeps } from "../gateway-deps.js";
import type { JobAddress } from "../queue/generation-client.js";
import type { WriterRecord } from "./writer-record.js";

/** What any gateway needs to go on with a streamed answer, besides the token logs of its jobs. */
export interface StreamRecord {
  readonly writer: WriterRecord;
  readonly jobs: readonly JobAddress[];
  /** Unix milliseconds. */
  readonly deadlineAtMs: number;
}

/** Never rejects: false if Redis did not take it, and the stream can't be resumed. */
export async function saveStream(
  { streams, logger }: GatewayDeps,
  writer: WriterRecord,
  jobs: readonly GenerationJob[],
): Promise<boolean> {
  const addresses = jobs.map(({ requestId, replyTo, lane }) => ({ requestId, replyTo, lane }));
  const deadlineAtMs = Math.max(...jobs.map((job) => job.deadlineAtMs));
  const record: StreamRecord = { writer, jobs: addresses, deadlineAtMs };
  try {
    await streams.save(writer.options.id, record, deadlineAtMs);
    return true;
  } catch (error) {
    logger.warn({ err: error, id: writer.options.id }, "stream not resumable");
    return false;
  }
}

/** Throws NOT_FOUND and REDIS_UNAVAILABLE. */
export async function loadStream({ streams }: GatewayDeps, id: string): Promise<StreamRecord> {
  const record = await streams.load(id);
  if (record !== undefined) return record as StreamRecord;
  throw new RhoneError("NOT_FOUND", `There is no stream ${id}; streams are kept for some minutes after their end.`);
}
