import { type ClusterStatus, COORDINATORS_KEY, createLogger, openRedis, statusKey } from "@rhone/common";
import type { Redis } from "ioredis";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { startValkey, type TestValkey } from "../../../../packages/common/src/testing/valkey.js";
import { StatusPublisher } from "./status-publisher.js";

const logger = createLogger({ service: "test", level: "silent" });

let valkey: TestValkey;
let redis: Redis;
let publisher: StatusPublisher;
let reason = "starting";

beforeEach(async () => {
  valkey = await startValkey();
  redis = await openRedis({ url: valkey.url, name: "test", waits: true, onError: () => {} });
  const status = () => ({ coordinator: "c1", reason }) as ClusterStatus;
  publisher = new StatusPublisher({ redis, status, logger });
});

afterEach(async () => {
  await publisher.close();
  redis.disconnect();
  await valkey.stop();
});

const published = async () => JSON.parse((await redis.get(statusKey("c1"))) ?? "null");

describe("StatusPublisher", () => {
  it("publishes at once, and again after a change", async () => {
    await expect.poll(published).toEqual({ coordinator: "c1", reason: "starting" });
    expect(await redis.smembers(COORDINATORS_KEY)).toEqual(["c1"]);
    expect(await redis.pttl(statusKey("c1"))).toBeGreaterThan(1000);
    reason = "loading";
    publisher.changed();
    await expect.poll(published).toEqual({ coordinator: "c1", reason: "loading" });
  });

  it("leaves neither a status nor its id in the set of coordinators when it closes", async () => {
    await expect.poll(() => redis.smembers(COORDINATORS_KEY)).toEqual(["c1"]);
    await publisher.close();
    expect(await published()).toBeNull();
    expect(await redis.smembers(COORDINATORS_KEY)).toEqual([]);
  });

  it("publishes nothing after it is closed", async () => {
    await expect.poll(published).not.toBeNull();
    await publisher.close();
    publisher.changed();
    await new Promise((resolve) => setImmediate(resolve));
    expect(await published()).toBeNull();
  });

  it("sends one status at a time", async () => {
    await expect.poll(published).not.toBeNull();
    const pipeline = vi.spyOn(redis, "pipeline");
    publisher.changed();
    publisher.changed();
    await new Promise((resolve) => setImmediate(resolve));
    publisher.changed(); // the first is still under way
    await new Promise((resolve) => setImmediate(resolve));
    expect(pipeline).toHaveBeenCalledTimes(1);
  });
});
