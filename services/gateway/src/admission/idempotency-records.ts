import { FairLine, idempotentKey, RhoneError, redisUnavailable } from "@rhone/common";
import { z } from "zod";
import { streamRecordSchema } from "../answers/stream-records.js";
import type { Reader } from "../storage/in-turns.js";
import { readStored } from "../stored-json.js";
import { ownTurn } from "../turns.js";
import { shortJsonInTurns } from "../write-in-turns.js";

const VERSION = 1;
/** Memory of Redis: a generation's record holds its prompts, one for each choice, and an answer up to 256 KiB. */
const MOST_CHARACTERS = 1024 * 1024;
/** A record of a mebibyte takes the event loop 10 ms to read. Those that wait take turns by owner. */
const READS = { atOnce: 2, most: 1024, withinMs: 30_000 };

const recordSchema = z.object({
  version: z.literal(VERSION).default(VERSION),
  /** Identifies the request: a different one must not use the key. */
  fingerprint: z.string(),
  /** Present once the request is answered. */
  answer: z.object({ status: z.number(), contentType: z.string(), body: z.string() }).exactOptional(),
  /** Present once the request generates: from it any gateway can write the answer. `withIds`: its events have ids. */
  generation: z.object({ record: streamRecordSchema, stream: z.boolean(), withIds: z.boolean() }).exactOptional(),
});

/** What became of the first request with an Idempotency-Key. */
export type IdempotentRecord = Readonly<Omit<z.output<typeof recordSchema>, "version">>;
export type StoredAnswer = NonNullable<IdempotentRecord["answer"]>;
export type StoredGeneration = NonNullable<IdempotentRecord["generation"]>;

export type Claimant = Reader & { readonly ttlS: number };

/** The commands used of Redis. */
export interface IdempotencyStore {
  get(key: string): Promise<string | null>;
  set(key: string, text: string, mode: "EX", ttlS: number, when: "NX"): Promise<"OK" | null>;
  set(key: string, text: string, mode: "EX", ttlS: number, when: "XX"): Promise<"OK" | null>;
  del(key: string): Promise<unknown>;
}

/** Records in Redis by the digest of caller and key, each with a time to live. Every call throws REDIS_UNAVAILABLE. */
export class IdempotencyRecords {
  readonly #redis: IdempotencyStore;
  readonly #reads = new FairLine({
    ...READS,
    busy: (why) => new RhoneError("GATEWAY_BUSY", `${why} for the answers of Idempotency-Keys; try again shortly.`),
  });

  /** `redis` is borrowed. */
  constructor(redis: IdempotencyStore) {
    this.#redis = redis;
  }

  /**
   * Creates a new request's record, which lives for `ttlS` seconds, and returns null, or returns the existing one.
   * Throws RECORD_UNREADABLE, GATEWAY_BUSY when too many wait for theirs, and the reason of `leaving`.
   */
  async claim(digest: string, record: IdempotentRecord, claimant: Claimant): Promise<IdempotentRecord | null> {
    const key = idempotentKey(digest);
    const text = JSON.stringify({ version: VERSION, ...record });
    for (;;) {
      const created = await this.#redis.set(key, text, "EX", claimant.ttlS, "NX").catch(redisUnavailable);
      if (created !== null) return null;
      const found = await this.#reads.run(claimant.owner, () => this.#read(key), claimant.leaving);
      // It may have expired between the two commands.
      if (found !== null) return found;
    }
  }

  /**
   * Replaces an existing record; one that expired stays so. Returns whether the record is short enough to be kept.
   */
  async save(digest: string, record: IdempotentRecord, ttlS: number): Promise<boolean> {
    const text = await shortJsonInTurns({ version: VERSION, ...record }, MOST_CHARACTERS);
    if (text === undefined) return false;
    await this.#redis.set(idempotentKey(digest), text, "EX", ttlS, "XX").catch(redisUnavailable);
    return true;
  }

  async release(digest: string): Promise<void> {
    await this.#redis.del(idempotentKey(digest)).catch(redisUnavailable);
  }

  async #read(key: string): Promise<IdempotentRecord | null> {
    const text = await this.#redis.get(key).catch(redisUnavailable);
    await ownTurn();
    return text === null ? null : readStored(recordSchema, text, "The first answer with this Idempotency-Key");
  }
}
