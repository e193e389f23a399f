import type { Redis } from "ioredis";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openRedis } from "../queue/open-redis.js";
import { FakeRedis } from "../testing/fake-redis.js";
import { newApiKey } from "./api-key.js";
import { ApiKeyStore } from "./api-key-store.js";

let server: FakeRedis;
let redis: Redis;
let store: ApiKeyStore;

beforeEach(async () => {
  server = await FakeRedis.start();
  redis = await openRedis({ url: `redis://${server.address}`, name: "test", waits: false, onError: () => {} });
  store = new ApiKeyStore(redis);
});
afterEach(async () => {
  redis.disconnect();
  await server.stop();
});

const keyOf = (name: string, second: number) =>
  newApiKey({ name, requestsPerMinute: null, tokensPerMinute: 1000 }, second * 1000).key;

describe("ApiKeyStore", () => {
  it("finds a key by its id", async () => {
    const key = keyOf("team", 1);
    await store.add(key);
    expect(await store.get(key.id)).toEqual(key);
    expect(await store.get("000000000000")).toBeNull();
  });

  it("lists the oldest first, and by id what is of one second", async () => {
    const keys = [keyOf("b", 2), keyOf("a", 1), keyOf("c", 2)];
    for (const key of keys) await store.add(key);
    const later = [keys[0], keys[2]].map((key) => key?.id).sort();
    expect((await store.list()).map(({ id }) => id)).toEqual([keys[1]?.id, ...later]);
    expect(await store.count()).toBe(3);
  });

  it("revokes one key by its id", async () => {
    const [key, other] = [keyOf("team", 1), keyOf("team", 2)];
    await store.add(key);
    await store.add(other);
    expect(await store.revoke(key.id)).toEqual([key]);
    expect(await store.list()).toEqual([other]);
  });

  it("revokes every key of a name, and nothing where there is none", async () => {
    const keys = [keyOf("team", 1), keyOf("other", 2), keyOf("team", 3)];
    for (const key of keys) await store.add(key);
    expect(await store.revoke("team")).toEqual([keys[0], keys[2]]);
    expect(await store.revoke("team")).toEqual([]);
    expect(await store.list()).toEqual([keys[1]]);
  });

  it.each<[string, () => Promise<unknown>]>([
    ["add", () => store.add(keyOf("team", 1))],
    ["get", () => store.get("a")],
    ["list", () => store.list()],
    ["count", () => store.count()],
    ["revoke", () => store.revoke("a")],
  ])("%s throws REDIS_UNAVAILABLE when Redis refuses", async (_, call) => {
    server.failure = "LOADING Redis is loading the dataset in memory";
    await expect(call()).rejects.toMatchObject({ code: "REDIS_UNAVAILABLE" });
  });
});
