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
  /** Names the claim, whose holder alone writes the record or frees the key. */
  claim: z.string().exactOptional(),
  /** Identifies the request: a different one must not use the key. */
  fingerprint: z.string(),
  /** Present once the request is answered. */
  answer: z.object({ status: z.number(), contentType: z.string(), body: z.string() }).exactOptional(),
  /**
   * Present once the request is about to generate: from it any gateway can write the answer. `withIds`: its events have
   * ids.
   */
  generation: z.object({ record: streamRecordSchema, stream: z.boolean(), withIds: z.boolean() }).exactOptional(),
});

/** What became of the first request with an Idempotency-Key. */
export type IdempotentRecord = Readonly<Omit<z.output<typeof recordSchema>, "version">>;
export type StoredAnswer = NonNullable<IdempotentRecord["answer"]>;
export type StoredGeneration = NonNullable<IdempotentRecord["generation"]>;

export type Claimant = Reader & { readonly ttlS: number };

/** The owner of an Idempotency-Key, the digest of both, and which claim of it this is. */
export interface ClaimedKey {
  readonly owner: string;
  readonly digest: string;
  readonly claim: string;
}

/** How the record of a claim begins. */
const ofClaim = (claim: string): string => JSON.stringify({ version: VERSION, claim }).slice(0, -1);

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
    const text = JSON.stringify({ version: VERSION, claim: record.claim, ...record });
    for (;;) {
      if (await this.#kept.keep(key, { owner, text, ttlS, when: "NX" })) return null;
      const found = await this.#reads.run(owner, () => this.#read(key), leaving);
      // It may have expired between the two commands.
      if (found !== null) return found;
    }
  }

  /**
   * Replaces the claim's record, also one that is gone. Returns whether the new one is short enough to be kept. Throws
   * IDEMPOTENCY_KEY_IN_USE when the claim expired, as while Redis or this process was away, and another holds the key.
   */
  async save({ owner, digest, claim }: ClaimedKey, record: IdempotentRecord, ttlS: number): Promise<boolean> {
    const text = await shortJsonInTurns({ version: VERSION, claim, ...record }, MOST_CHARACTERS);
    if (text === undefined) return false;
    if (await this.#kept.keep(idempotentKey(digest), { owner, text, ttlS, of: ofClaim(claim) })) return true;
    const why = "Another request has claimed this Idempotency-Key while this one waited";
    throw new RhoneError("IDEMPOTENCY_KEY_IN_USE", `${why}; try again shortly.`);
  }

  /** Gives the claim's record, as it is, another time to live. Returns false when it is gone, or another's. */
  lengthen({ owner, digest, claim }: ClaimedKey, ttlS: number): Promise<boolean> {
    return this.#kept.lengthen(idempotentKey(digest), { owner, ttlS, of: ofClaim(claim) });
  }

  /** Seconds that the record has left; 0 or less for one that is gone. */
  ttlS(digest: string): Promise<number> {
    return this.#kept.ttlS(idempotentKey(digest));
  }

  /** Frees the key, unless another holds it. */
  async release({ owner, digest, claim }: ClaimedKey): Promise<void> {
    await this.#kept.drop(idempotentKey(digest), owner, ofClaim(claim));
  }

  async #read(key: string): Promise<IdempotentRecord | null> {
    const text = await this.#kept.get(key);
    await ownTurn();
    return text === null ? null : readStored(recordSchema, text, "The first answer with this Idempotency-Key");
  }
}
