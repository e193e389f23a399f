import { REDIS_PREFIX, redisUnavailable } from "@rhone/common";
import type { Redis } from "ioredis";

/** The commands used of Redis. */
export type OpenSet = Pick<Redis, "zadd" | "zrem" | "zrange">;

export interface OpenResponse {
  readonly id: string;
  readonly owner: string;
}

const KEY = `${REDIS_PREFIX}:responses-open`;
/** Responses that are looked at a time, oldest first. */
const MOST_SEEN = 1024;

/**
 * The responses that some gateway must follow to their end: those in the background, and of streams whose clients left.
 * All gateways of a Redis share them. Every call throws REDIS_UNAVAILABLE.
 */
export class OpenResponses {
  readonly #redis: OpenSet;
  #onAdded: () => void = () => {};

  /** `redis` is borrowed. */
  constructor(redis: OpenSet) {
    this.#redis = redis;
  }

  /** `listener` is called when this process adds one. There is one listener. */
  whenAdded(listener: () => void): void {
    this.#onAdded = listener;
  }

  /** From here on some gateway follows the response, even if this one dies. */
  async add(id: string, owner: string): Promise<void> {
    await this.#redis.zadd(KEY, "NX", Date.now(), memberOf({ id, owner })).catch(redisUnavailable);
    this.#onAdded();
  }

  async remove(id: string, owner: string): Promise<void> {
    await this.#redis.zrem(KEY, memberOf({ id, owner })).catch(redisUnavailable);
  }

  /** Oldest first. */
  async all(): Promise<readonly OpenResponse[]> {
    const members = await this.#redis.zrange(KEY, 0, String(MOST_SEEN - 1)).catch(redisUnavailable);
    return members.map((member) => {
      const at = member.indexOf(" ");
      return { id: member.slice(0, at), owner: member.slice(at + 1) };
    });
  }
}

const memberOf = ({ id, owner }: OpenResponse): string => `${id} ${owner}`;
