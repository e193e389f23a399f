import { BlockList, isIPv4, isIPv6 } from "node:net";
import { type ApiKey, type ApiKeyStore, apiKeyIdOf, isSecretOf } from "@rhone/common";
import { ownTurn } from "../turns.js";
import type { AuthMode } from "./admission-settings.js";

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** Whether requests need an API key at a gateway that binds to `host`. */
export function keysRequired(mode: AuthMode, host: string): boolean {
  return mode === "keys" || (mode === "auto" && !isLoopback(host));
}

/** Whether only this machine has this address. Any name but localhost may resolve to one that others reach. */
export function isLoopback(host: string): boolean {
  if (host === "localhost") return true;
  return (isIPv4(host) && loopback.check(host, "ipv4")) || (isIPv6(host) && loopback.check(host, "ipv6"));
}

/** A revoked key may still be accepted for this long. */
const FRESH_MS = 1000;
/** Most keys kept in memory; the oldest go first. */
const MOST_REMEMBERED = 10_000;

interface Remembered {
  readonly key: ApiKey;
  readonly atMs: number;
}

/**
 * Finds the key of a secret and remembers it for 1 s, so every gateway sees a revocation within that time. Requests
 * whose keys were looked up at once go on in turns of the event loop.
 */
export class KeyRing {
  readonly #store: Pick<ApiKeyStore, "get" | "count">;
  readonly #now: () => number;
  readonly #remembered = new Map<string, Remembered>();

  /** `now`: milliseconds of a monotonic clock. */
  constructor(store: Pick<ApiKeyStore, "get" | "count">, now: () => number = () => performance.now()) {
    this.#store = store;
    this.#now = now;
  }

  /** null: no key has this secret. Throws REDIS_UNAVAILABLE. */
  async find(secret: string): Promise<ApiKey | null> {
    const id = apiKeyIdOf(secret);
    const key = id === null ? null : await this.#keyOf(id);
    return key !== null && isSecretOf(secret, key) ? key : null;
  }

  /** Whether a key with the secret's id was valid here lately. Asks nobody. */
  knows(secret: string): boolean {
    return this.#remembered.has(apiKeyIdOf(secret) ?? "");
  }

  /** Whether no key exists. Throws REDIS_UNAVAILABLE. */
  async isEmpty(): Promise<boolean> {
    const count = await this.#store.count();
    await ownTurn();
    return count === 0;
  }

  async #keyOf(id: string): Promise<ApiKey | null> {
    const known = this.#remembered.get(id);
    if (known !== undefined && this.#now() - known.atMs < FRESH_MS) return known.key;
    const atMs = this.#now();
    const key = await this.#store.get(id);
    this.#remembered.delete(id);
    if (key !== null) this.#remember({ key, atMs });
    await ownTurn();
    return key;
  }

  #remember(remembered: Remembered): void {
    this.#remembered.set(remembered.key.id, remembered);
    const [oldest] = this.#remembered.keys();
    if (this.#remembered.size > MOST_REMEMBERED && oldest !== undefined) this.#remembered.delete(oldest);
  }
}
