import { idempotentKey, RhoneError } from "@rhone/common";
import type { Redis } from "ioredis";
import type { StreamRecord } from "../answers/stream-record.js";

/** What became of the first request with an Idempotency-Key. */
export interface IdempotentRecord {
  /** Of the request: another one must not use the key. */
  readonly fingerprint: string;
  /** Once it is answered. */
  readonly answer?: StoredAnswer;
  /** Once it generates: from it any gateway can write the answer. */
  readonly generation?: StoredGeneration;
}

export interface StoredAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

export interface StoredGeneration {
  readonly record: StreamRecord;
  readonly stream: boolean;
  /** Its events have ids. */
  readonly withIds: boolean;
}

/** Records by the digest of caller and key, each for a time. Every call throws REDIS_UNAVAILABLE. */
export interface IdempotencyRecords {
  /** Makes the record unless there is one: that one then, else null. */
  claim(digest: string, record: IdempotentRecord, ttlS: number): Promise<IdempotentRecord | null>;
  /** Replaces a record that there is; one that is gone stays so. */
  save(digest: string, record: IdempotentRecord, ttlS: number): Promise<void>;
  release(digest: string): Promise<void>;
}

export function redisIdempotencyRecords(redis: Redis): IdempotencyRecords {
  return {
    async claim(digest, record, ttlS) {
      const key = idempotentKey(digest);
      for (;;) {
        const made = await redis.set(key, JSON.stringify(record), "EX", ttlS, "NX").catch(unavailable);
        if (made !== null) return null;
        const found = await redis.get(key).catch(unavailable);
        // It may have ended between the two.
        if (found !== null) return JSON.parse(found) as IdempotentRecord;
      }
    },
    async save(digest, record, ttlS) {
      await redis.set(idempotentKey(digest), JSON.stringify(record), "EX", ttlS, "XX").catch(unavailable);
    },
    async release(digest) {
      await redis.del(idempotentKey(digest)).catch(unavailable);
    },
  };
}

function unavailable(cause: unknown): never {
  throw new RhoneError("REDIS_UNAVAILABLE", "Redis can't be reached; try again shortly.", { cause });
}
