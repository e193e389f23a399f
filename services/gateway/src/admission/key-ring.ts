import { type ApiKey, type ApiKeyStore, apiKeyIdOf, isSecretOf } from "@rhone/common";

/** Longest that a revoked key is taken for a valid one. */
const FRESH_MS = 1000;
/** Beyond so many keys in use the oldest are forgotten. */
const MOST_REMEMBERED = 10_000;

interface Remembered {
  readonly key: ApiKey;
  readonly atMs: number;
}

/** Finds the key of a secret, and remembers it for a second: a revocation is seen within that time at every gateway. */
export class KeyRing {
  readonly #store: Pick<ApiKeyStore, "get" | "count">;
  readonly #now: () => number;
  readonly #remembered = new Map<string, Remembered>();

  /** `now`: milliseconds of a clock that never goes back. */
  constructor(store: Pick<ApiKeyStore, "get" | "count">, now: () => number = () => performance.now()) {
    this.#store = store;
    this.#now = now;
  }

  /** null: nobody has it. Throws REDIS_UNAVAILABLE. */
  async find(secret: string): Promise<ApiKey | null> {
    const id = apiKeyIdOf(secret);
    const key = id === null ? null : await this.#keyOf(id);
    return key !== null && isSecretOf(secret, key) ? key : null;
  }

  /** Whether no key exists at all. Throws REDIS_UNAVAILABLE. */
  async isEmpty(): Promise<boolean> {
    return (await this.#store.count()) === 0;
  }

  async #keyOf(id: string): Promise<ApiKey | null> {
    const known = this.#remembered.get(id);
    if (known !== undefined && this.#now() - known.atMs < FRESH_MS) return known.key;
    const atMs = this.#now();
    const key = await this.#store.get(id);
    this.#remembered.delete(id);
    if (key !== null) this.#remember({ key, atMs });
    return key;
  }

  #remember(remembered: Remembered): void {
    this.#remembered.set(remembered.key.id, remembered);
    const [oldest] = this.#remembered.keys();
    if (this.#remembered.size > MOST_REMEMBERED && oldest !== undefined) this.#remembered.delete(oldest);
  }
}
