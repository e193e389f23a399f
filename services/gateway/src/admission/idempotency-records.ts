import { FairLine, idempotentKey, RhoneError } from "@rhone/common";
import { z } from "zod";
import { streamRecordSchema } from "../answers/stream-records.js";
import type { KeptTexts } from "../kept/kept-texts.js";
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

/** The owner of an Idempotency-Key, and the digest of both. */
export interface ClaimedKey {
  readonly owner: string;
  readonly digest: string;
}

/**
 * Records by the digest of caller and key, each with a time to live. One that gave way to others is as one that
 * expired: its request runs again. Every call throws REDIS_UNAVAILABLE.
 */
export class IdempotencyRecords {
  readonly #kept: KeptTexts;
  readonly #reads = new FairLine({
    ...READS,
    busy: (why) => new RhoneError("GATEWAY_BUSY", `${why} for the answers of Idempotency-Keys; try again shortly.`),
  });

  constructor(kept: KeptTexts) {
    this.#kept = kept;
  }

  /**
   * Creates a new request's record, which lives for `ttlS` seconds, and returns null, or returns the existing one.
   * Throws RECORD_UNREADABLE, GATEWAY_BUSY when too many wait for theirs, and the reason of `leaving`.
   */
  async claim(digest: string, record: IdempotentRecord, claimant: Claimant): Promise<IdempotentRecord | null> {
    const { owner, ttlS, leaving } = claimant;
    const key = idempotentKey(digest);
    const text = JSON.stringify({ version: VERSION, ...record });
    for (;;) {
      if (await this.#kept.keep(key, { owner, text, ttlS, when: "NX" })) return null;
      const found = await this.#reads.run(owner, () => this.#read(key), leaving);
      // It may have expired between the two commands.
      if (found !== null) return found;
    }
  }

  /**
   * Replaces an existing record; one that is gone stays so. Returns whether the record is short enough to be kept.
   */
  async save({ owner, digest }: ClaimedKey, record: IdempotentRecord, ttlS: number): Promise<boolean> {
    const text = await shortJsonInTurns({ version: VERSION, ...record }, MOST_CHARACTERS);
    if (text === undefined) return false;
    await this.#kept.keep(idempotentKey(digest), { owner, text, ttlS, when: "XX" });
    return true;
  }

  async release({ owner, digest }: ClaimedKey): Promise<void> {
    await this.#kept.drop(idempotentKey(digest), owner);
  }

  async #read(key: string): Promise<IdempotentRecord | null> {
    const text = await this.#kept.get(key);
    await ownTurn();
    return text === null ? null : readStored(recordSchema, text, "The first answer with this Idempotency-Key");
  }
}
