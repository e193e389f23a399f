import { DROP, LENGTHEN } from "../kept/keep-scripts.js";
import { KeptTexts } from "../kept/kept-texts.js";

/** Redis in memory, for `KeptTexts` without their bound. Nothing expires; the times to live are kept in `ttls`. */
export class FakeRedis {
  readonly kept = new KeptTexts(this, { kind: "test", mostBytes: 0 });
  readonly texts = new Map<string, string>();
  readonly ttls = new Map<string, number>();
  /** A sorted set's members, in the order in which they were added. */
  readonly members = new Set<string>();
  /** Thrown by every command, as by a Redis that is away. */
  failure: Error | undefined;

  async get(key: string): Promise<string | null> {
    this.#check();
    return this.texts.get(key) ?? null;
  }

  async ttl(key: string): Promise<number> {
    this.#check();
    return this.texts.has(key) ? (this.ttls.get(key) ?? -1) : -2;
  }

  async eval(script: string, _keys: number, ...rest: (string | number)[]): Promise<0 | 1> {
    this.#check();
    const [key, , , text, ttlS, , when, of] = rest.map(String);
    if (key === undefined) throw new RangeError("A script of KeptTexts has two keys");
    const isOther = (beginning = ""): boolean => this.texts.get(key)?.startsWith(beginning) === false;
    if (script === DROP) return !isOther(text) && this.texts.delete(key) ? 1 : 0;
    if (script === LENGTHEN) {
      if (isOther(text) || !this.texts.has(key)) return 0;
      this.ttls.set(key, Number(ttlS));
      return 1;
    }
    if (isOther(of)) return 0;
    if (when !== "" && this.texts.has(key) === (when === "NX")) return 0;
    this.texts.set(key, text ?? "");
    this.ttls.set(key, Number(ttlS));
    return 1;
  }

  async zadd(_key: string, ...rest: (string | number)[]): Promise<void> {
    this.#check();
    this.members.add(String(rest.at(-1)));
  }

  async zrem(_key: string, member: string): Promise<void> {
    this.#check();
    this.members.delete(member);
  }

  async zrange(): Promise<readonly string[]> {
    this.#check();
    return [...this.members];
  }

  #check(): void {
    if (this.failure !== undefined) throw this.failure;
  }
}
