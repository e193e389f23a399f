import { endTurn, openRedis, takeTurn, turnsKey } from "@rhone/common";
import type { Redis } from "ioredis";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startValkey, type TestValkey } from "../testing/valkey.js";

const WAITING = "waiting";
const lane = "interactive";

let valkey: TestValkey;
let redis: Redis;
beforeAll(async () => {
  valkey = await startValkey();
  redis = await openRedis({ url: valkey.url, name: "test", waits: true, onError: () => {} });
});
beforeEach(() => redis.flushall());
afterAll(async () => {
  redis.disconnect();
  await valkey.stop();
});

const take = (keyId: string) => takeTurn(redis, { lane, keyId }, WAITING);
const takeAll = (keyIds: string) => Promise.all([...keyIds].map(take));

describe("turns", () => {
  it("count each owner's jobs", async () => expect(await takeAll("aaabab")).toEqual([1, 2, 3, 1, 4, 2]));

  it("are counted in each lane by itself", async () => {
    await take("a");
    expect(await takeTurn(redis, { lane: "batch", keyId: "a" }, WAITING)).toBe(1);
  });

  it("that were not taken are not saved up", async () => {
    await takeAll("aaa");
    await endTurn(redis, lane, 2);
    expect(await takeAll("bba")).toEqual([2, 3, 4]);
  });

  it("after a million begin at 1 again, once nothing waits", async () => {
    await endTurn(redis, lane, 2 ** 20 + 1);
    await redis.zadd(WAITING, 1, "job");
    expect(await take("a")).toBe(2 ** 20 + 1);
    await redis.del(WAITING);
    expect(await takeAll("aab")).toEqual([1, 2, 1]);
  });

  it("are at most BullMQ's greatest priority", async () => {
    await redis.zadd(WAITING, 1, "job");
    await endTurn(redis, lane, 2 ** 22);
    expect(await take("a")).toBe(2 ** 21);
  });

  it("are forgotten a day after the last job", async () => {
    await take("a");
    expect(await redis.ttl(turnsKey(lane))).toBeGreaterThan(86_000);
  });
});
