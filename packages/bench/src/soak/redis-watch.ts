import { openRedis, REDIS_PREFIX } from "@rhone/common";

/** Keys that begin alike. */
export interface KeyGroup {
  readonly keys: number;
  readonly bytes: number;
  /** Keys without a time to live. */
  readonly lasting: number;
  /** Seconds that the key with the most has left; 0 without any. */
  readonly longestTtlS: number;
}

export interface RedisUsage {
  /** What Redis has allocated, everything included. */
  readonly memoryBytes: number;
  /** By the first word of their names; see `groupOf`. */
  readonly groups: Readonly<Record<string, KeyGroup>>;
}

interface KeyFacts {
  readonly name: string;
  readonly bytes: number;
  /** Milliseconds; negative: it lasts. */
  readonly ttlMs: number;
}

type Redis = Awaited<ReturnType<typeof openRedis>>;

const SCANNED_AT_ONCE = 500;

/** Looks at a cluster's Redis. It is slower for each key, so it is for tests and benches. */
export class RedisWatch {
  readonly #redis: Redis;

  private constructor(redis: Redis) {
    this.#redis = redis;
  }

  /** Throws REDIS_UNAVAILABLE. */
  static async open(url: string): Promise<RedisWatch> {
    return new RedisWatch(await openRedis({ url, name: "rhone-bench", waits: false, onError: () => {} }));
  }

  async look(): Promise<RedisUsage> {
    const info = await this.#redis.info("memory");
    const memoryBytes = Number(/^used_memory:(\d+)/m.exec(info)?.[1] ?? 0);
    return { memoryBytes, groups: groupsOf(await this.#facts()) };
  }

  close(): void {
    this.#redis.disconnect();
  }

  async #facts(): Promise<readonly KeyFacts[]> {
    const facts = new Map<string, KeyFacts>();
    let cursor = "0";
    do {
      const [next, names] = await this.#redis.scan(cursor, "MATCH", `${REDIS_PREFIX}:*`, "COUNT", SCANNED_AT_ONCE);
      cursor = next;
      const asked = this.#redis.pipeline();
      for (const name of names) asked.pttl(name).memory("USAGE", name);
      const answers = (await asked.exec()) ?? [];
      for (const [index, name] of names.entries()) {
        const [ttlMs, bytes] = [answers[2 * index]?.[1], answers[2 * index + 1]?.[1]];
        // A key that ended in between has no bytes. SCAN may list a key twice.
        if (typeof bytes === "number") facts.set(name, { name, bytes, ttlMs: Number(ttlMs) });
      }
    } while (cursor !== "0");
    return [...facts.values()];
  }
}

export function groupsOf(facts: readonly KeyFacts[]): RedisUsage["groups"] {
  const groups: Record<string, KeyGroup> = {};
  for (const { name, bytes, ttlMs } of facts) {
    const group = groupOf(name);
    const before = groups[group] ?? { keys: 0, bytes: 0, lasting: 0, longestTtlS: 0 };
    groups[group] = {
      keys: before.keys + 1,
      bytes: before.bytes + bytes,
      lasting: before.lasting + (ttlMs < 0 ? 1 : 0),
      longestTtlS: Math.max(before.longestTtlS, ttlMs < 0 ? 0 : Math.ceil(ttlMs / 1000)),
    };
  }
  return groups;
}

/**
 * "{rhone}:log:cmpl-1-0" -> "log", "{rhone}:generate/breeze:7" -> "generate"; the index of records that are kept for a
 * time is theirs: "{rhone}:kept:streams:ends" -> "stream".
 */
export function groupOf(name: string): string {
  const words = name.slice(REDIS_PREFIX.length + 1).split(/[:/@]/);
  return words[0] === "kept" ? (words[1] ?? "").replace(/s$/, "") : (words[0] ?? "");
}
