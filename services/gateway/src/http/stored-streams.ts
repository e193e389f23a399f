import { RhoneError } from "@rhone/common";
import { isOwnedBy } from "../admission/owned.js";
import type { StreamRecord } from "../answers/stream-record.js";
import type { GatewayDeps } from "../gateway-deps.js";

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
