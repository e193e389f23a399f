import { FINISHED_LOG_TTL_S, RhoneError, streamKey } from "@rhone/common";
import type { Redis } from "ioredis";

/** What outlives a streamed request's gateway, kept as JSON. */
export interface StreamRecords {
  /** Kept until some time after the deadline. Throws REDIS_UNAVAILABLE. */
  save(id: string, record: object, deadlineAtMs: number): Promise<void>;
  /** undefined: there is none (any more). Throws REDIS_UNAVAILABLE. */
  load(id: string): Promise<unknown>;
}

/** Records live as long as the token logs that they belong to. */
export function redisStreamRecords(redis: Redis): StreamRecords {
  const unavailable = (cause: unknown): never => {
    throw new RhoneError("REDIS_UNAVAILABLE", "Redis can't be reached; try again shortly.", { cause });
  };
  return {
    async save(id, record, deadlineAtMs) {
      const ttlS = Math.max(1, Math.ceil((deadlineAtMs - Date.now()) / 1000)) + FINISHED_LOG_TTL_S;
      await redis.set(streamKey(id), JSON.stringify(record), "EX", ttlS).catch(unavailable);
    },
    async load(id) {
      const record = await redis.get(streamKey(id)).catch(unavailable);
      return record === null ? undefined : JSON.parse(record);
    },
  };
}
