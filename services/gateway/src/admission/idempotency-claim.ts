import { FINISHED_LOG_TTL_S, type Logger } from "@rhone/common";
import { logTtlS } from "../answers/stream-records.js";
import type {
  ClaimedKey,
  IdempotencyRecords,
  IdempotentRecord,
  StoredAnswer,
  StoredGeneration,
} from "./idempotency-records.js";

/** Larger answers are not kept; while their token logs can be read, they are written again. */
const MOST_STORED_BYTES = 256 * 1024;
/** A record that needs the token logs must expire before them. */
const LOG_MARGIN_S = 10;
/**
 * A claim frees its key after this time when its gateway has died before the request generated: repeats are refused
 * until then. Longer than a gateway hangs before it is killed.
 */
export const CLAIM_TTL_S = 6;
/**
 * The record of a generation lives this long until its job is known to be queued, and any shorter time afterwards. So
 * its time to live says for how long nobody has renewed it, and a job that is queued while its gateway dies is found.
 */
export const UNQUEUED_TTL_S = 2 * 86_400;
/** While its gateway lives a claim is renewed this often: an upload, or a prompt that waits, may take minutes. */
const RENEW_MS = 1500;

export interface ClaimOptions extends ClaimedKey {
  readonly records: IdempotencyRecords;
  readonly fingerprint: string;
  /** Seconds after which the claim is renewed no more: no request takes longer. */
  readonly mostS: number;
  /** Seconds that an answer is kept. */
  readonly ttlS: number;
  readonly logger: Logger;
}

/** The first request with an Idempotency-Key: later ones get its answer. */
export class IdempotencyClaim {
  readonly #options: ClaimOptions;
  readonly #endsAt: number;
  #record: IdempotentRecord;
  /** Its generation outlives its gateway. */
  #isQueued = false;
  #renewals: NodeJS.Timeout | undefined;
  #renewing: Promise<void> = Promise.resolve();

  constructor(options: ClaimOptions) {
    this.#options = options;
    this.#endsAt = performance.now() + options.mostS * 1000;
    this.#record = { fingerprint: options.fingerprint };
    this.#beginRenewals();
  }

  /**
   * Once it is `queued` any gateway can write the answer, unless its prompts are so long that the record is not kept:
   * then only an answer that is small can be repeated. Throws as `IdempotencyRecords.save`: it must not generate then.
   */
  async generates(generation: StoredGeneration): Promise<void> {
    const { records, logger } = this.#options;
    const record = { ...this.#record, generation };
    await this.#endRenewals();
    if (await records.save(this.#options, record, UNQUEUED_TTL_S)) this.#record = record;
    else logger.info({ id: generation.record.writer.options.id }, "prompts too long to repeat the answer by its key");
    this.#beginRenewals();
  }

  /** A job of the generation is in the queue: its record lives as long as the token logs. */
  queued(): void {
    if (this.#isQueued || this.#record.generation === undefined) return;
    this.#isQueued = true;
    this.#renew();
  }

  /** Keeps the answer. A large one, or a stream (null), can be repeated while its token logs last. Never rejects. */
  async answered(answer: StoredAnswer | null): Promise<void> {
    const { records, fingerprint, ttlS } = this.#options;
    const isSmall = answer !== null && Buffer.byteLength(answer.body) <= MOST_STORED_BYTES;
    await this.#endRenewals();
    if (isSmall) return this.#quietly(records.save(this.#options, { fingerprint, answer }, ttlS));
    if (this.#record.generation === undefined) return this.failed();
    await this.#quietly(records.save(this.#options, this.#record, FINISHED_LOG_TTL_S - LOG_MARGIN_S));
  }

  /** Frees the key. Never rejects. */
  async failed(): Promise<void> {
    await this.#endRenewals();
    await this.#quietly(this.#options.records.release(this.#options));
  }

  /** The end of a stream. After a client that left, generation goes on and the key keeps it. */
  ended(outcome: string): void {
    if (outcome === "ok") void this.answered(null);
    else if (outcome !== "cancelled") void this.failed();
  }

  #beginRenewals(): void {
    this.#renewals = setInterval(() => {
      if (performance.now() > this.#endsAt) clearInterval(this.#renewals);
      else this.#renew();
    }, RENEW_MS).unref();
  }

  #renew(): void {
    this.#renewing = this.#renewing.then(() => this.#quietly(this.#lengthen()));
  }

  async #lengthen(): Promise<void> {
    const { records } = this.#options;
    const { generation } = this.#record;
    const isForGood = this.#isQueued && generation !== undefined;
    const waitingTtlS = generation === undefined ? CLAIM_TTL_S : UNQUEUED_TTL_S;
    const ttlS = isForGood ? logTtlS(generation.record) - LOG_MARGIN_S : waitingTtlS;
    if (!(await records.lengthen(this.#options, ttlS))) await records.save(this.#options, this.#record, ttlS);
    if (isForGood) clearInterval(this.#renewals);
  }

  /** After this no renewal writes over what follows. */
  async #endRenewals(): Promise<void> {
    clearInterval(this.#renewals);
    await this.#renewing;
  }

  /** A record that could not be written expires by itself. */
  async #quietly(writing: Promise<unknown>): Promise<void> {
    await writing.catch((err: unknown) => this.#options.logger.warn({ err }, "idempotency record not written"));
  }
}
