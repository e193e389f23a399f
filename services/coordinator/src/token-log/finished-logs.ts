import { FINISHED_LOG_TTL_S, type GenerationJob } from "@rhone/common";

/** The job whose log it is. */
export type LogOwner = Pick<GenerationJob, "requestId" | "replyTo" | "keyId" | "lane">;

/** Only these fields of the job: its prompt and grammar may be larger than the log. */
export interface FinishedLog extends Pick<LogOwner, "requestId" | "keyId" | "lane"> {
  readonly bytes: number;
  readonly endedAt: number;
}

/** Every finished log is kept this long: its readers are about to end. */
const KEPT_MS = 60_000;

/**
 * Counts the bytes of the logs that Redis keeps of finished requests. Above `mostBytes` the API key with the most gives
 * up its oldest, a minute after their end at the earliest; all others are kept for their ten minutes.
 */
export class FinishedLogs {
  readonly #mostBytes: number;
  readonly #now: () => number;
  /** Bytes of unfinished logs, by request. */
  readonly #open = new Map<string, number>();
  /** By request, oldest first. */
  readonly #finished = new Map<string, FinishedLog>();
  readonly #bytesOf = new Map<string, number>();
  #bytes = 0;

  /** `now`: milliseconds on a monotonic clock. */
  constructor(mostBytes: number, now: () => number) {
    this.#mostBytes = mostBytes;
    this.#now = now;
  }

  /** `bytes` were written to the log of an unfinished request, or its last ones. */
  wrote({ requestId }: LogOwner, bytes: number): void {
    this.#open.set(requestId, (this.#open.get(requestId) ?? 0) + bytes);
  }

  finish({ requestId, keyId, lane }: LogOwner): void {
    const bytes = this.#open.get(requestId) ?? 0;
    this.lose(requestId);
    this.#finished.set(requestId, { requestId, keyId, lane, bytes, endedAt: this.#now() });
    this.#count(keyId, bytes);
  }

  /** Another coordinator goes on with the request. */
  lose(requestId: string): void {
    this.#open.delete(requestId);
  }

  /** Takes out the logs that are to be dropped. */
  takeExcess(): readonly FinishedLog[] {
    for (const log of this.#finished.values()) {
      if (log.endedAt + FINISHED_LOG_TTL_S * 1000 > this.#now()) break;
      this.#remove(log);
    }
    const excess: FinishedLog[] = [];
    while (this.#bytes > this.#mostBytes) {
      const log = this.#oldestOf(this.#heaviest());
      if (log === undefined) break;
      this.#remove(log);
      excess.push(log);
    }
    return excess;
  }

  #heaviest(): string | undefined {
    let heaviest: string | undefined;
    for (const [keyId, bytes] of this.#bytesOf) {
      if (heaviest === undefined || bytes > (this.#bytesOf.get(heaviest) ?? 0)) heaviest = keyId;
    }
    return heaviest;
  }

  #oldestOf(keyId: string | undefined): FinishedLog | undefined {
    for (const log of this.#finished.values()) {
      if (log.endedAt + KEPT_MS > this.#now()) return undefined;
      if (log.keyId === keyId) return log;
    }
    return undefined;
  }

  #remove({ requestId, keyId, bytes }: FinishedLog): void {
    this.#finished.delete(requestId);
    this.#count(keyId, -bytes);
  }

  #count(keyId: string, change: number): void {
    this.#bytes += change;
    const bytes = (this.#bytesOf.get(keyId) ?? 0) + change;
    if (bytes > 0) this.#bytesOf.set(keyId, bytes);
    else this.#bytesOf.delete(keyId);
  }
}
