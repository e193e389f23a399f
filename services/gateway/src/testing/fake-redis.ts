/** Redis's text commands in memory, for records. Nothing expires; the times to live are kept in `ttls`. */
export class FakeRedis {
  readonly texts = new Map<string, string>();
  readonly ttls = new Map<string, number>();
  /** Thrown by every command, as by a Redis that is away. */
  failure: Error | undefined;

  async get(key: string): Promise<string | null> {
    this.#check();
    return this.texts.get(key) ?? null;
  }

  /** NX: only a new key. XX: only an existing one. */
  async set(key: string, text: string, _mode: "EX", ttlS: number, when?: "NX" | "XX"): Promise<"OK" | null> {
    this.#check();
    if (when !== undefined && this.texts.has(key) === (when === "NX")) return null;
    this.texts.set(key, text);
    this.ttls.set(key, ttlS);
    return "OK";
  }

  async del(key: string): Promise<number> {
    this.#check();
    return this.texts.delete(key) ? 1 : 0;
  }

  #check(): void {
    if (this.failure !== undefined) throw this.failure;
  }
}
