import type { Redis } from "ioredis";
import { redisUnavailable } from "../queue/open-redis.js";
import { API_KEYS_KEY } from "../queue/redis-names.js";
import { type ApiKey, apiKeySchema } from "./api-key.js";

/** The API keys of a cluster, in one Redis hash by id. Every call may throw REDIS_UNAVAILABLE. */
export class ApiKeyStore {
  readonly #redis: Redis;

  /** `redis` is borrowed. */
  constructor(redis: Redis) {
    this.#redis = redis;
  }

  async add(key: ApiKey): Promise<void> {
    await this.#redis.hset(API_KEYS_KEY, key.id, JSON.stringify(key)).catch(redisUnavailable);
  }

  async get(id: string): Promise<ApiKey | null> {
    const text = await this.#redis.hget(API_KEYS_KEY, id).catch(redisUnavailable);
    return text === null ? null : parse(text);
  }

  /** Oldest first. */
  async list(): Promise<readonly ApiKey[]> {
    const texts = await this.#redis.hvals(API_KEYS_KEY).catch(redisUnavailable);
    return texts.map(parse).sort((a, b) => a.createdAt - b.createdAt || a.id.localeCompare(b.id));
  }

  async count(): Promise<number> {
    return this.#redis.hlen(API_KEYS_KEY).catch(redisUnavailable);
  }

  /** Removes the key with this id, or every key with this name, and returns what it removed. */
  async revoke(idOrName: string): Promise<readonly ApiKey[]> {
    const found = (await this.list()).filter(({ id, name }) => id === idOrName || name === idOrName);
    if (found.length > 0) await this.#redis.hdel(API_KEYS_KEY, ...found.map(({ id }) => id)).catch(redisUnavailable);
    return found;
  }
}

const parse = (text: string): ApiKey => apiKeySchema.parse(JSON.parse(text));
