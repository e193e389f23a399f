import { FINISHED_LOG_TTL_S, type Logger } from "@rhone/common";
import type { StreamRecord } from "../answers/stream-record.js";
import type { IdempotencyRecords, IdempotentRecord, StoredAnswer } from "./idempotency-records.js";

/** Larger answers are kept as long as their token logs only. */
const MOST_STORED = 256 * 1024;
/** A record that needs the token logs must not outlive them. */
const LOG_MARGIN_S = 10;

export interface ClaimOptions {
  readonly records: IdempotencyRecords;
  readonly digest: string;
  readonly fingerprint: string;
  /** Seconds that an answer is kept. */
  readonly ttlS: number;
  readonly logger: Logger;
}

/** The first request with an Idempotency-Key: what becomes of it is what later ones get. */
export class IdempotencyClaim {
  readonly #options: ClaimOptions;
  #record: IdempotentRecord;
  #isReleased = false;

  constructor(options: ClaimOptions) {
    this.#options = options;
    this.#record = { fingerprint: options.fingerprint };
  }

  /** From here on any gateway can write the answer. Throws REDIS_UNAVAILABLE. */
  async generates(record: StreamRecord, { stream, withIds }: { stream: boolean; withIds: boolean }): Promise<void> {
    const { records, digest } = this.#options;
    this.#record = { ...this.#record, generation: { record, stream, withIds } };
    const untilDeadlineS = Math.max(1, Math.ceil((record.deadlineAtMs - Date.now()) / 1000));
    await records.save(digest, this.#record, untilDeadlineS + FINISHED_LOG_TTL_S - LOG_MARGIN_S);
  }

  /** Keeps the answer; one that is too large, or a stream, as long as it can be written again. Never rejects. */
  async answered(answer: StoredAnswer | null): Promise<void> {
    const { records, digest, fingerprint, ttlS } = this.#options;
    const isSmall = answer !== null && Buffer.byteLength(answer.body) <= MOST_STORED;
    if (isSmall) return this.#quietly(records.save(digest, { fingerprint, answer }, ttlS));
    if (this.#record.generation === undefined) return this.failed();
    await this.#quietly(records.save(digest, this.#record, FINISHED_LOG_TTL_S - LOG_MARGIN_S));
  }

  /** The key is free again. Never rejects. */
  async failed(): Promise<void> {
    // Somebody else may have it by the second call.
    if (this.#isReleased) return;
    this.#isReleased = true;
    await this.#quietly(this.#options.records.release(this.#options.digest));
  }

  /** What is not written now ends by itself. */
  async #quietly(writing: Promise<void>): Promise<void> {
    await writing.catch((err: unknown) => this.#options.logger.warn({ err }, "idempotency record not written"));
  }
}

declare module "fastify" {
  interface FastifyRequest {
    /** Of a request that is the first with its Idempotency-Key. */
    claim: IdempotencyClaim | null;
  }
}
