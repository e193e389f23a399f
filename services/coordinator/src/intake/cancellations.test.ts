import { CANCEL_CHANNEL, cancelledKey } from "@rhone/common";
import type { Redis } from "ioredis";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { useRedis } from "../testing/use-redis.js";
import { Cancellations } from "./cancellations.js";

let redis: Redis;
useRedis((opened) => {
  redis = opened;
});
let subscriber: Redis;
let cancellations: Cancellations;
let cancelled: string[];

beforeAll(() => {
  subscriber = redis.duplicate();
});

afterAll(() => subscriber.disconnect());

beforeEach(async () => {
  subscriber.removeAllListeners("message");
  cancelled = [];
  cancellations = await Cancellations.open(subscriber, (requestId) => cancelled.push(requestId));
});

describe("Cancellations", () => {
  it("calls back for each announced request", async () => {
    await redis.publish(CANCEL_CHANNEL, "a");
    await redis.publish(CANCEL_CHANNEL, "b");
    await expect.poll(() => cancelled).toEqual(["a", "b"]);
  });

  it("knows a request by its flag, and by an announcement without one", async () => {
    await redis.set(cancelledKey("flagged"), "1");
    await redis.publish(CANCEL_CHANNEL, "announced");
    await expect.poll(() => cancelled).toEqual(["announced"]);
    const known = ["flagged", "announced", "other"].map((requestId) => cancellations.has(redis, requestId));
    expect(await Promise.all(known)).toEqual([true, true, false]);
  });

  it("forgets the oldest announcements beyond 4096", async () => {
    for (let index = 0; index <= 4096; index++) subscriber.emit("message", CANCEL_CHANNEL, `r${index}`);
    expect(await cancellations.has(redis, "r0")).toBe(false);
    expect(await cancellations.has(redis, "r1")).toBe(true);
  });
});
