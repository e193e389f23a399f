import { REDIS_PREFIX, redisUnavailable } from "@rhone/common";
import { RedisLine } from "../redis-line.js";
import { DROP, KEEP, LENGTHEN } from "./keep-scripts.js";

/** The commands used of Redis. */
export interface KeptStore {
  get(key: string): Promise<string | null>;
  ttl(key: string): Promise<number>;
  eval(script: string, keys: number, ...rest: (string | number)[]): Promise<unknown>;
}

export interface KeptTextsOptions {
  /** Names the texts that are bounded together. */
  readonly kind: string;
  /** Bytes of all texts of the kind, of which each counts a kibibyte more than it has. */
  readonly mostBytes: number;
}

export interface KeptText {
  /** The name of an API key; "" where no keys are required. */
  readonly owner: string;
  readonly text: string;
  readonly ttlS: number;
  /** NX: only a new key. XX: only an existing one. */
  readonly when?: "NX" | "XX";
  /** How one that exists must begin to be replaced; any one is when absent. */
  readonly of?: string;
}

/**
 * Texts in Redis with a time to live, whose bytes are bounded: for one that has no room, the owner of the most bytes
 * gives up its oldest. All gateways of a Redis count together. Every call throws REDIS_UNAVAILABLE.
 */
export class KeptTexts {
  readonly #redis: KeptStore;
  readonly #lists: string;
  readonly #mostBytes: number;
  /** 60 texts of 0.9 MB at once were a turn of 0.45 s of the Redis that comes with the program. */
  readonly #writes = new RedisLine();

  /** `redis` is borrowed. */
  constructor(redis: KeptStore, { kind, mostBytes }: KeptTextsOptions) {
    this.#redis = redis;
    this.#lists = `${REDIS_PREFIX}:kept:${kind}`;
    this.#mostBytes = mostBytes;
  }

  get(key: string): Promise<string | null> {
    return this.#redis.get(key).catch(redisUnavailable);
  }

  /** Returns whether the text is kept: `when` and `of` may forbid it. `key` and its owner belong together for good. */
  async keep(key: string, { owner, text, ttlS, when, of = "" }: KeptText): Promise<boolean> {
    const rest = [owner, text, ttlS, this.#mostBytes, when ?? "", of];
    return (await this.#writes.send(text.length, () => this.#run(KEEP, key, rest))) === 1;
  }

  /** Gives a text that exists another time to live. Returns false for one that is gone, or not `of` that beginning. */
  async lengthen(key: string, { owner, ttlS, of = "" }: Pick<KeptText, "owner" | "ttlS" | "of">): Promise<boolean> {
    return (await this.#run(LENGTHEN, key, [owner, of, ttlS])) === 1;
  }

  /** Seconds that a text has left; 0 or less for one that is gone. */
  ttlS(key: string): Promise<number> {
    return this.#redis.ttl(key).catch(redisUnavailable);
  }

  /** `of`: as of one that is replaced. */
  async drop(key: string, owner: string, of = ""): Promise<void> {
    await this.#run(DROP, key, [owner, of]);
  }

  #run(script: string, key: string, rest: readonly (string | number)[]): Promise<unknown> {
    return this.#redis.eval(script, 2, key, this.#lists, ...rest).catch(redisUnavailable);
  }
}
