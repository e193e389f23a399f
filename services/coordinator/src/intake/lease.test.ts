import { leasesKey, openRedis } from "@rhone/common";
import type { Redis } from "ioredis";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { startValkey, type TestValkey } from "../../../../packages/common/src/testing/valkey.js";
import { Lease, leaseOf, placeOf } from "./lease.js";

const KEY = leasesKey("m");
const [HERE, THERE] = ["0".repeat(12), "1".repeat(12)];

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

async function take(id: string, place: string): Promise<Lease> {
  const lease = new Lease({ redis, id, model: "m", lockMs: 10_000 });
  await lease.take(place);
  return lease;
}

const names = async () => (await redis.hkeys(KEY)).toSorted();
const CALM = { wasOver: false, haveEnded: false };

describe("a lease", () => {
  it("is over when others have looked six times and found it as it was, and not before", async () => {
    const lost = await take("a", HERE);
    const other = await take("b", THERE);
    for (let look = 0; look < 5; look++) expect(await other.renew()).toEqual(CALM);
    expect(await names()).toEqual([`${HERE}-a`, `${THERE}-b`]);
    expect(await other.renew()).toEqual({ wasOver: false, haveEnded: true });
    expect([...(await other.living())]).toEqual([`${THERE}-b`]);
    expect(await lost.renew()).toEqual({ wasOver: true, haveEnded: false });
    expect(await lost.renew()).toEqual(CALM);
    expect(await names()).toEqual([`${HERE}-a`, `${THERE}-b`]);
  });

  it("lasts while its holder renews it, however slowly", async () => {
    const slow = await take("a", HERE);
    const other = await take("b", THERE);
    for (let look = 1; look < 30; look++) {
      expect(await other.renew()).toEqual(CALM);
      if (look % 5 === 0) expect(await slow.renew()).toEqual(CALM);
    }
  });

  it("that is renewed when another is about to end it goes on", async () => {
    const late = await take("a", HERE);
    const other = await take("b", THERE);
    const evaluate = redis.eval.bind(redis);
    const spy = vi.spyOn(redis, "eval").mockImplementation(async (...args) => {
      await late.renew();
      return evaluate(...args);
    });
    onTestFinished(() => spy.mockRestore());
    for (let look = 0; look < 20; look++) expect(await other.renew()).toEqual(CALM);
    expect(spy).toHaveBeenCalled();
  });

  it("is over at once when another process takes one at the same place", async () => {
    await take("a", HERE);
    const other = await take("b", THERE);
    await take("c", HERE);
    expect(await names()).toEqual([`${HERE}-c`, `${THERE}-b`]);
    // That one may be the first with a pipeline for the jobs of "a".
    expect(await other.renew()).toEqual({ wasOver: false, haveEnded: true });
    expect(await other.renew()).toEqual(CALM);
  });

  it("that two others end at the same time is over for both: either may be the one with a pipeline", async () => {
    await take("a", HERE);
    const others = [await take("b", THERE), await take("c", "2".repeat(12))];
    for (let look = 0; look < 5; look++) for (const other of others) await other.renew();
    const renewals = await Promise.all(others.map((other) => other.renew()));
    expect(renewals.map(({ haveEnded }) => haveEnded)).toEqual([true, true]);
  });

  it("tells what has happened once Redis has answered all of a renewal", async () => {
    await take("a", HERE);
    const other = await take("b", THERE);
    for (let look = 0; look < 5; look++) expect(await other.renew()).toEqual(CALM);
    await redis.hdel(KEY, `${THERE}-b`);
    const spy = vi.spyOn(redis, "eval").mockRejectedValueOnce(new Error("OOM"));
    onTestFinished(() => spy.mockRestore());
    await expect(other.renew()).rejects.toThrow("OOM");
    expect(await other.renew()).toEqual({ wasOver: true, haveEnded: true });
    expect(await other.renew()).toEqual(CALM);
  });

  it("begins again when Redis has lost it", async () => {
    const lease = await take("a", HERE);
    await lease.renew();
    await redis.flushall();
    expect(await lease.renew()).toEqual({ wasOver: true, haveEnded: false });
    expect(await names()).toEqual([`${HERE}-a`]);
  });

  it("outlives the locks of its jobs in Redis, and is gone when it is given up", async () => {
    const lease = await take("a", HERE);
    expect(await redis.pttl(KEY)).toBeGreaterThan(60_000);
    await lease.end();
    expect(await names()).toEqual([]);
  });

  it("is named by the tokens of the jobs taken under it, and by no others", async () => {
    const lease = await take("a", HERE);
    expect(leaseOf(lease.token(7))).toBe(`${HERE}-a`);
    expect(leaseOf("01234567-89ab-4cde-8f01-23456789abcd:7")).toBeNull(); // BullMQ's own
    expect(leaseOf("")).toBeNull();
  });

  it("is of a place: one machine's address", () => {
    expect(placeOf("127.0.0.1:7100")).toBe(placeOf("127.0.0.1:7100"));
    expect(placeOf("127.0.0.1:7100")).not.toBe(placeOf("127.0.0.1:7101"));
    expect(leaseOf(`${placeOf("127.0.0.1:7100")}-a:0`)).not.toBeNull();
  });
});
