import type { LogOwner } from "./finished-logs.js";

interface LogsOfKey {
  bytes: number;
  /** Bytes by request. */
  readonly logs: Map<string, number>;
}

/**
 * Counts the bytes of the logs of requests that have not finished. Above `mostBytes` the longest one of the API key
 * with the most has to end: nobody's short answer makes room for another's long one.
 */
export class OpenLogs {
  readonly #mostBytes: number;
  readonly #byKey = new Map<string, LogsOfKey>();
  /** Those that were told to end, which count no more. */
  readonly #ending = new Map<string, number>();
  #bytes = 0;

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  wrote({ requestId, keyId }: LogOwner, bytes: number): void {
    const ending = this.#ending.get(requestId);
    if (ending !== undefined) return void this.#ending.set(requestId, ending + bytes);
    const ofKey = this.#byKey.get(keyId) ?? { bytes: 0, logs: new Map() };
    this.#byKey.set(keyId, ofKey);
    ofKey.logs.set(requestId, (ofKey.logs.get(requestId) ?? 0) + bytes);
    ofKey.bytes += bytes;
    this.#bytes += bytes;
  }

  /** The request has finished, or another coordinator goes on with it. Returns the bytes of its log. */
  close(requestId: string): number {
    const ending = this.#ending.get(requestId);
    this.#ending.delete(requestId);
    if (ending !== undefined) return ending;
    for (const [keyId, { logs }] of this.#byKey) if (logs.has(requestId)) return this.#remove(keyId, requestId);
    return 0;
  }

  /** The requests that have to end, each once. */
  takeExcess(): readonly string[] {
    const excess: string[] = [];
    while (this.#bytes > this.#mostBytes) {
      const longest = this.#longestOfHeaviest();
      if (longest === undefined) break;
      const [keyId, requestId] = longest;
      this.#ending.set(requestId, this.#remove(keyId, requestId));
      excess.push(requestId);
    }
    return excess;
  }

  #longestOfHeaviest(): readonly [keyId: string, requestId: string] | undefined {
    const [heaviest] = [...this.#byKey].sort(([, a], [, b]) => b.bytes - a.bytes);
    if (heaviest === undefined) return undefined;
    const [keyId, { logs }] = heaviest;
    const [longest] = [...logs].sort(([, a], [, b]) => b - a);
    return longest === undefined ? undefined : [keyId, longest[0]];
  }

  #remove(keyId: string, requestId: string): number {
    const ofKey = this.#byKey.get(keyId);
    const bytes = ofKey?.logs.get(requestId) ?? 0;
    if (ofKey === undefined) return 0;
    ofKey.logs.delete(requestId);
    ofKey.bytes -= bytes;
    this.#bytes -= bytes;
    if (ofKey.logs.size === 0) this.#byKey.delete(keyId);
    return bytes;
  }
}
