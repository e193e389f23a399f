import { endTurn, leaveQueue, placesKey, takeTurn, turnsKey } from "@rhone/common";
import type { Redis } from "ioredis";
import { describe, expect, it } from "vitest";
import { useRedis } from "../testing/use-redis.js";

const WAITING = "waiting";
const queue = { model: "m", lane: "interactive" } as const;

let redis: Redis;
useRedis((opened) => {
  redis = opened;
});

let jobs = 0;
const take = (keyId: string, most = 1000) =>
  takeTurn(redis, { requestId: `r-${jobs++}`, ...queue, keyId }, { waitingKey: WAITING, most });
const takeAll = (keyIds: string) => Promise.all([...keyIds].map((keyId) => take(keyId)));

describe("turns", () => {
  it("count each owner's jobs", async () => expect(await takeAll("aaabab")).toEqual([1, 2, 3, 1, 4, 2]));

  it.each([
    ["lane", { lane: "batch" }],
    ["model", { model: "other" }],
  ] as const)("are counted in each %s by itself", async (_, other) => {
    await take("a");
    const job = { requestId: "r", ...queue, ...other, keyId: "a" };
    expect(await takeTurn(redis, job, { waitingKey: WAITING, most: 10 })).toBe(1);
  });

  it("that were not taken are not saved up", async () => {
    await takeAll("aaa");
    await endTurn(redis, queue, 2);
    expect(await takeAll("bba")).toEqual([2, 3, 4]);
  });

  it("after a million begin at 1 again, once nothing waits", async () => {
    await endTurn(redis, queue, 2 ** 20 + 1);
    await redis.zadd(WAITING, 1, "job");
    expect(await take("a")).toBe(2 ** 20 + 1);
    await redis.del(WAITING);
    expect(await takeAll("aab")).toEqual([1, 2, 1]);
  });

  it("are at most BullMQ's greatest priority", async () => {
    await redis.zadd(WAITING, 1, "job");
    await endTurn(redis, queue, 2 ** 22);
    expect(await take("a")).toBe(2 ** 21);
  });

  it("are forgotten a day after the last job", async () => {
    await take("a");
    expect(await redis.ttl(turnsKey(queue))).toBeGreaterThan(86_000);
  });
});

describe("places in the queue", () => {
  /** Lets an owner ask for places of `most` at once, of which the queue then has those that it got. */
  async function fill(keyId: string, most: number): Promise<number> {
    const asked = await Promise.allSettled(Array.from({ length: most + 1 }, () => take(keyId, most)));
    const taken = asked.filter(({ status }) => status === "fulfilled").length;
    for (let i = 0; i < taken; i++) await redis.zadd(WAITING, 1, `${keyId} ${i}`);
    return taken;
  }

  it("are for a key as many as it leaves free, so that another finds some", async () => {
    expect([await fill("a", 10), await fill("b", 10), await fill("c", 10), await fill("d", 10)]).toEqual([5, 3, 1, 1]);
    await expect(take("e", 10)).rejects.toMatchObject({
      code: "QUEUE_FULL",
      message: "10 choices wait for a coordinator, of at most 10 for all clients (--max-queued); try again shortly.",
    });
  });

  it("say whose are too many", async () => {
    await fill("a", 4);
    await expect(take("a", 4)).rejects.toMatchObject({
      message:
        "2 choices wait for a coordinator, of at most 4 for all clients (--max-queued); 2 of them are of this API key, " +
        "which may have no more places than it leaves free; try again shortly.",
    });
  });

  it("are all for clients without keys", async () => {
    for (let i = 0; i < 3; i++) await redis.zadd(WAITING, 1, `${i}`);
    expect(await take("", 4)).toBe(1);
    await redis.zadd(WAITING, 1, "3");
    await expect(take("", 4)).rejects.toMatchObject({ code: "QUEUE_FULL" });
  });

  it("come back when a coordinator takes the job, or it is cancelled", async () => {
    const job = { requestId: "r", ...queue, keyId: "a" } as const;
    const places = { waitingKey: WAITING, most: 2 };
    await takeTurn(redis, job, places);
    await expect(take("a", 2)).rejects.toMatchObject({ code: "QUEUE_FULL" });
    await leaveQueue(redis, job);
    await takeTurn(redis, job, places);
  });

  it("of jobs that never came into the queue are free after a minute, but not those of jobs in it", async () => {
    await redis.zadd(placesKey(queue, "a"), Date.now() - 61_000, "left behind");
    await take("a", 2);
    await redis.zadd(WAITING, 1, "waits");
    await redis.zadd(placesKey(queue, "b"), Date.now() - 61_000, "waits");
    await expect(take("b", 2)).rejects.toMatchObject({ code: "QUEUE_FULL" });
  });
});
