import { LIMIT_PREFIX } from "@rhone/common";
import { Redis } from "ioredis";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { startValkey, type TestValkey } from "../../../../packages/common/src/testing/valkey.js";
import { type Budgets, redisBudgets } from "./budgets.js";

let valkey: TestValkey;
let redis: Redis;
let gateways: readonly [Budgets, Budgets];
beforeAll(async () => {
  valkey = await startValkey();
  redis = new Redis(valkey.url);
  gateways = [redisBudgets(redis, "tokens"), redisBudgets(redis, "tokens")];
});
beforeEach(() => redis.flushall());
afterAll(async () => {
  redis.disconnect();
  await valkey.stop();
});

const KEY = `${LIMIT_PREFIX}:tokens:team`;
/** One point comes back in six seconds, so that none does during a test. */
const limit = 10;

it("gateways share a limit, and say when more of it is there", async () => {
  const [here, there] = gateways;
  expect(await here.take("team", { limit, points: 6 })).toMatchObject({ isWithin: true, fitsInMs: 0 });
  expect(await there.take("other", { limit, points: 10 })).toMatchObject({ isWithin: true });
  const refused = await there.take("team", { limit, points: 5 });
  expect(refused.isWithin).toBe(false);
  expect(refused.fitsInMs).toBeGreaterThan(0);
  expect(refused.fitsInMs).toBeLessThanOrEqual(6000);
  expect(refused.wholeInMs).toBeLessThanOrEqual(36_000);
  expect(await there.take("team", { limit, points: 4 })).toMatchObject({ isWithin: true });
});

it("a limit is one value, which is gone when all of it is there again; what is refused leaves nothing", async () => {
  const [here] = gateways;
  expect(await here.take("team", { limit, points: 11 })).toMatchObject({ isWithin: false, wholeInMs: 0 });
  expect(await here.take("team", { limit, points: 0 })).toMatchObject({ isWithin: true });
  expect(await redis.keys("*")).toEqual([]);
  const { endsAtMs } = await here.take("team", { limit, points: 2 });
  expect(await redis.keys("*")).toEqual([KEY]);
  expect(await redis.pttl(KEY)).toBeLessThanOrEqual(12_000);
  await here.correct("team", { limit, points: -2, endsAtMs });
  expect(await redis.keys("*")).toEqual([]);
});

it("half a minute after all of a limit was taken, half of it is there", async () => {
  const [here] = gateways;
  await redis.set(KEY, Date.now() + 30_000); // as if all had been taken then
  expect(await here.take("team", { limit, points: 6 })).toMatchObject({ isWithin: false });
  expect(await here.take("team", { limit, points: 4 })).toMatchObject({ isWithin: true });
});

it("corrections take more, or give back what has not come back by itself", async () => {
  const [here, there] = gateways;
  const { endsAtMs } = await here.take("team", { limit, points: 4 });
  await there.correct("team", { limit, points: 3, endsAtMs });
  expect(await here.take("team", { limit, points: 4 })).toMatchObject({ isWithin: false });
  await there.correct("team", { limit, points: -2, endsAtMs: Date.now() - 1000 });
  expect(await here.take("team", { limit, points: 4 })).toMatchObject({ isWithin: false });
  await there.correct("team", { limit, points: -2, endsAtMs });
  expect(await here.take("team", { limit, points: 4 })).toMatchObject({ isWithin: true });
});
