import { FINISHED_LOG_TTL_S, type GenerationJob } from "@rhone/common";

/** The job whose log it is. */
export type LogOwner = Pick<GenerationJob, "requestId" | "replyTo" | "keyId" | "model" | "lane">;

/** Only these fields of the job: its prompt and grammar may be larger than the log. */
export interface FinishedLog extends Pick<LogOwner, "requestId" | "keyId" | "lane"> {
  readonly bytes: number;
  readonly endedAt: number;
}

/** Every finished log is kept this long: its readers are about to end. */
const KEPT_MS = 60_000;

interface LogsOfKey {
  bytes: number;
  /** By request, oldest first. */
  readonly logs: Map<string, FinishedLog>;
}

/**
 * Counts the bytes of the logs that Redis keeps of finished requests. Above `mostBytes` the API key with the most gives
 * up its oldest, a minute after their end at the earliest; all others are kept for their ten minutes.
 */
export class FinishedLogs {
  readonly #mostBytes: number;
  readonly #now: () => number;
  readonly #byKey = new Map<string, LogsOfKey>();
  #bytes = 0;

  /** `now`: milliseconds on a monotonic clock. */
  constructor(mostBytes: number, now: () => number) {
    this.#mostBytes = mostBytes;
    this.#now = now;
  }

  /** `bytes`: of its log. */
  add({ requestId, keyId, lane }: LogOwner, bytes: number): void {
    // The log of a request that had the same id more than ten minutes ago.
    const earlier = this.#byKey.get(keyId)?.logs.get(requestId);
    if (earlier !== undefined) this.#remove(earlier);
    const ofKey = this.#byKey.get(keyId) ?? { bytes: 0, logs: new Map() };
    this.#byKey.set(keyId, ofKey);
    ofKey.logs.set(requestId, { requestId, keyId, lane, bytes, endedAt: this.#now() });
    ofKey.bytes += bytes;
    this.#bytes += bytes;
  }

  /** Takes out the logs that are to be dropped. */
  takeExcess(): readonly FinishedLog[] {
    for (const ofKey of this.#byKey.values()) this.#forgetExpired(ofKey);
    const excess: FinishedLog[] = [];
    while (this.#bytes > this.#mostBytes) {
      const [oldest] = this.#heaviest()?.logs.values() ?? [];
      if (oldest === undefined || oldest.endedAt + KEPT_MS > this.#now()) break;
      this.#remove(oldest);
      excess.push(oldest);
    }
    return excess;
  }

  #forgetExpired({ logs }: LogsOfKey): void {
    for (const log of logs.values()) {
      if (log.endedAt + FINISHED_LOG_TTL_S * 1000 > this.#now()) return;
      this.#remove(log);
    }
  }

  #heaviest(): LogsOfKey | undefined {
    let heaviest: LogsOfKey | undefined;
    for (const ofKey of this.#byKey.values()) if (ofKey.bytes > (heaviest?.bytes ?? 0)) heaviest = ofKey;
    return heaviest;
  }

  #remove({ requestId, keyId, bytes }: FinishedLog): void {
    this.#bytes -= bytes;
    const ofKey = this.#byKey.get(keyId);
    if (ofKey === undefined) return;
    ofKey.bytes -= bytes;
    ofKey.logs.delete(requestId);
    if (ofKey.logs.size === 0) this.#byKey.delete(keyId);
  }
}
