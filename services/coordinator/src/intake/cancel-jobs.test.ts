import { CANCEL_CHANNEL, cancelJobs, cancelledKey, placesKey, tokenLogKey } from "@rhone/common";
import type { Redis } from "ioredis";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { useRedis } from "../testing/use-redis.js";

const QUEUE = { model: "m", lane: "interactive" } as const;

let redis: Redis;
useRedis((opened) => {
  redis = opened;
});
let subscriber: Redis;
const announced: string[] = [];
beforeAll(async () => {
  subscriber = redis.duplicate();
  subscriber.on("message", (_, id: string) => announced.push(id));
  await subscriber.subscribe(CANCEL_CHANNEL);
});
beforeEach(() => {
  announced.length = 0;
});
afterAll(() => subscriber.disconnect());

/** Cancels jobs of key "a". Returns those that were taken from the queue. */
async function cancel(...ids: string[]): Promise<readonly string[]> {
  const removed: string[] = [];
  const queue = { toKey: (id: string) => `queue:${id}`, remove: async (id: string) => removed.push(id) };
  await cancelJobs(
    redis,
    queue,
    ids.map((requestId) => ({ requestId, ...QUEUE, keyId: "a" })),
  );
  return removed;
}

const log = (id: string, event: object) => redis.xadd(tokenLogKey(id), "*", "event", JSON.stringify(event));

describe("cancelling jobs", () => {
  it("flags and announces them", async () => {
    await cancel("r1", "r2");
    expect(await redis.mget(cancelledKey("r1"), cancelledKey("r2"))).toEqual(["1", "1"]);
    expect(await redis.ttl(cancelledKey("r1"))).toBeGreaterThan(3590);
    await expect.poll(() => announced).toEqual(["r1", "r2"]);
  });

  it("frees their places, all clients' and their key's", async () => {
    const sets = [placesKey(QUEUE), placesKey(QUEUE, "a")];
    for (const set of sets) await redis.zadd(set, "1", "r1", "1", "other");
    await cancel("r1");
    for (const set of sets) {
      expect(await redis.zscore(set, "r1")).toBeNull();
      expect(await redis.zscore(set, "other")).toBe("1");
    }
  });

  it("takes those that wait from the queue, and leaves those that run to their coordinator", async () => {
    for (const id of ["waits", "runs"]) await redis.hset(`queue:${id}`, "data", "{}");
    await redis.set("queue:runs:lock", "token");
    expect(await cancel("waits", "runs", "gone")).toEqual(["waits"]);
  });

  it("leaves those alone that have ended, whatever their texts are", async () => {
    await log("ended", { ordinal: 0, text: "a" });
    await log("ended", { ordinal: 1, text: "", finish: { reason: "stop", matched: 2 } });
    await log("runs", { ordinal: 0, text: '"finish":{"reason":"stop"}' });
    await cancel("ended", "runs");
    expect(await redis.exists(cancelledKey("ended"))).toBe(0);
    expect(await redis.exists(cancelledKey("runs"))).toBe(1);
    await expect.poll(() => announced).toEqual(["runs"]);
  });

  it("of none asks Redis nothing", async () => expect(await cancel()).toEqual([]));
});
