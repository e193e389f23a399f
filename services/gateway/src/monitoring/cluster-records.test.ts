import { createLogger, gatewayKey, openRedis, placesKey, queueName, REDIS_PREFIX } from "@rhone/common";
import type { Redis } from "ioredis";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { startValkey, type TestValkey } from "../../../../packages/common/src/testing/valkey.js";
import { redisClusterRecords } from "./cluster-records.js";
import { GatewayAnnouncer } from "./gateway-announcer.js";

let valkey: TestValkey;
let redis: Redis;
beforeAll(async () => {
  valkey = await startValkey();
  redis = await openRedis({ url: valkey.url, name: "test", waits: false, onError: () => {} });
});
afterAll(async () => {
  redis.disconnect();
  await valkey.stop();
});

it("counts the jobs of a queue that wait and that are taken, and knows how long the oldest waits", async () => {
  const [full, empty] = [
    { model: "tiny", lane: "interactive" },
    { model: "tiny", lane: "batch" },
  ] as const;
  const key = `${REDIS_PREFIX}:${queueName(full)}`;
  const [seconds] = await redis.time();
  await redis.zadd(`${key}:prioritized`, 1, "a", 2, "b");
  await redis.rpush(`${key}:wait`, "c");
  await redis.rpush(`${key}:active`, "d", "e");
  await redis.zadd(placesKey(full), 1000 * (Number(seconds) - 60), "a");
  await redis.zadd(placesKey(empty), 1, "left behind");
  const [depth, other] = await redisClusterRecords(redis).depths([full, empty]);
  expect(depth).toMatchObject({ waiting: 3, taken: 2 });
  expect(depth?.oldestMs).toBeGreaterThanOrEqual(60_000);
  expect(depth?.oldestMs).toBeLessThan(120_000);
  expect(other).toEqual({ waiting: 0, taken: 0, oldestMs: 0 });
});

it("knows the gateways that have told their address lately", async () => {
  const records = redisClusterRecords(redis);
  expect(await records.gateways()).toEqual([]);
  const logger = createLogger({ service: "test", level: "silent" });
  const announcers = ["g2", "g1"].map(
    (id) => new GatewayAnnouncer({ redis, place: { id, address: `${id}:8080` }, logger }),
  );
  onTestFinished(async () => {
    for (const each of announcers) await each.close();
  });
  await expect
    .poll(() => records.gateways())
    .toEqual([
      { id: "g1", address: "g1:8080" },
      { id: "g2", address: "g2:8080" },
    ]);
  expect(await redis.pttl(gatewayKey("g1"))).toBeGreaterThan(1000);
  await redis.del(gatewayKey("g1")); // as when it died ten seconds ago
  await announcers[1]?.close();
  expect(await records.gateways()).toEqual([{ id: "g2", address: "g2:8080" }]);
});
