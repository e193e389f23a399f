import { loadsKey, openRedis } from "@rhone/common";
import type { Redis } from "ioredis";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startValkey, type TestValkey } from "../../../../packages/common/src/testing/valkey.js";
import { ReplicaLoads, surplus } from "./replica-loads.js";

const QUEUE = { waitingKey: "waiting", markerKey: "marker" };

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

const coordinator = (id: string, limit = 4) => new ReplicaLoads({ redis, id, model: "m", limit });

describe("coordinators of a model", () => {
  it("reserve jobs in turn", async () => {
    const [a, b] = [coordinator("a"), coordinator("b")];
    expect(await a.reserve(QUEUE)).toBe(true);
    expect(await b.reserve(QUEUE)).toBe(true);
    expect(await a.reserve(QUEUE)).toBe(true);
    expect(await a.reserve(QUEUE)).toBe(false);
    expect(await b.reserve(QUEUE)).toBe(true);
    expect(await a.reserve(QUEUE)).toBe(true);
    expect([a.own.held, b.own.held]).toEqual([3, 2]);
  });

  it("reserve jobs in proportion to the sequences that they run", async () => {
    const [small, large] = [coordinator("small", 2), coordinator("large", 6)];
    for (let turn = 0; turn < 100 && small.own.held + large.own.held < 40; turn++)
      await Promise.all([small.reserve(QUEUE), large.reserve(QUEUE)]);
    expect(large.own.held / small.own.held).toBeCloseTo(3, 0);
  });

  it("reserve any number alone, and of others' models", async () => {
    const alone = coordinator("alone");
    await new ReplicaLoads({ redis, id: "b", model: "other", limit: 4 }).tell();
    for (let job = 0; job < 20; job++) expect(await alone.reserve(QUEUE)).toBe(true);
  });

  it("do not wait for one that has left, or has said nothing for a second", async () => {
    const [a, b] = [coordinator("a"), coordinator("b")];
    await b.tell();
    expect([await a.reserve(QUEUE), await a.reserve(QUEUE)]).toEqual([true, false]);
    await b.leave();
    expect(await a.reserve(QUEUE)).toBe(true);
    const [seconds = "0"] = await redis.time();
    await redis.hset(loadsKey("m"), "dead", `0 4 ${Number(seconds) * 1000 - 1001}`);
    expect(await a.reserve(QUEUE)).toBe(true);
    expect(await redis.hkeys(loadsKey("m"))).toEqual(["a"]);
  });

  it("wake another for a job that they may not take", async () => {
    const [a, b] = [coordinator("a"), coordinator("b")];
    await b.tell();
    await a.reserve(QUEUE);
    await a.reserve(QUEUE);
    expect(await redis.exists(QUEUE.markerKey)).toBe(0);
    await redis.zadd(QUEUE.waitingKey, 1, "job");
    await a.reserve(QUEUE);
    expect(await redis.zrange(QUEUE.markerKey, 0, "-1", "WITHSCORES")).toEqual(["0", "0"]);
  });

  it("hear of each other, and are forgotten a minute after the last", async () => {
    const [a, b] = [coordinator("a", 3), coordinator("b", 5)];
    await a.reserve(QUEUE);
    expect(await b.tell()).toEqual([{ held: 1, limit: 3 }]);
    a.release();
    expect(await a.tell()).toEqual([{ held: 0, limit: 5 }]);
    expect(await b.tell()).toEqual([{ held: 0, limit: 3 }]);
    expect(await redis.ttl(loadsKey("m"))).toBeGreaterThan(50);
  });
});

it("a job's end is a change", async () => {
  const a = coordinator("a");
  const { version } = a.changed;
  await a.reserve(QUEUE);
  a.ended();
  expect(a.changed.version).toBe(version + 1);
  expect(a.own).toEqual({ held: 0, limit: 4 });
});

it.each([
  [{ held: 8, limit: 4 }, [], 0],
  [{ held: 8, limit: 4 }, [{ held: 0, limit: 4 }], 4],
  [{ held: 8, limit: 4 }, [{ held: 7, limit: 4 }], 0],
  [
    { held: 8, limit: 4 },
    [
      { held: 6, limit: 4 },
      { held: 2, limit: 4 },
    ],
    3,
  ],
  [{ held: 8, limit: 4 }, [{ held: 0, limit: 12 }], 6],
  [{ held: 2, limit: 4 }, [{ held: 8, limit: 4 }], 0],
])("of %j beside %j, %d jobs are too many", (own, others, expected) => expect(surplus(own, others)).toBe(expected));
