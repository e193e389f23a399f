import { jobLockKey, leasesKey, ordinalAfter } from "@rhone/common";
import { expect, it } from "vitest";
import { fakeModel } from "./testing/fake-model.js";
import { RedisRelay } from "./testing/redis-relay.js";
import { jobs, TestCluster } from "./testing/use-cluster.js";

const cluster = TestCluster.use();
const QUEUE = { model: "fake", lane: "interactive" } as const;
/** Longer than a test: only leases can release a job. */
const FLAGS = ["--workers", "1", "--job-lock", "600"];
const MODEL = fakeModel({ contextLength: 1024 });
const PATIENCE = { timeout: 20_000, interval: 5 };

/** A coordinator that reaches Redis by a relay. */
async function start() {
  const relay = await RedisRelay.open(cluster.url);
  const coordinator = await cluster.start([...FLAGS, "--redis-url", relay.url], MODEL);
  const running = async () => (await coordinator.status()).sequences.running;
  return { relay, running, workers: async (name: string) => void (await cluster.join(name)) };
}

it.each([
  ["its lease is over", "ended"],
  ["its successor has taken its jobs", "taken"],
  ["its successor writes, between two of its writes", "written"],
  ["its successor has finished its jobs", "finished"],
] as const)(
  "a coordinator that is stopped and wakes when %s doubles and loses nothing",
  { timeout: 60_000 },
  async (_, when) => {
    const { gateway } = cluster;
    const stopped = await start();
    await stopped.workers("w0");
    const all = jobs(4, 300);
    const written = () =>
      all.map(({ requestId }) => gateway.events(requestId).reduce((_, event) => ordinalAfter(event), 0));
    const haveGrown = (before: readonly number[]) => written().every((count, at) => count > (before[at] ?? 0));
    for (const job of all) await gateway.submit(job);
    await gateway.until(() => haveGrown(all.map(() => 5)));
    // It computes on, so what it wakes with are writes.
    stopped.relay.hold();
    const before = written();
    expect(Math.max(...before)).toBeLessThan(300);

    const successor = await start();
    const leases = () => gateway.redis.hlen(leasesKey(QUEUE.model));
    const locks = async () => gateway.redis.mget(all.map(({ requestId }) => jobLockKey({ ...QUEUE, requestId })));
    const locksBefore = await locks();
    if (when === "ended") {
      // The successor has no workers yet, and so takes nothing.
      await expect.poll(leases, PATIENCE).toBe(1);
      stopped.relay.release();
      await expect.poll(stopped.running, PATIENCE).toBe(0);
      await successor.workers("w1");
    } else {
      await successor.workers("w1");
      if (when === "taken") {
        await expect
          .poll(async () => (await locks()).every((lock, at) => lock !== locksBefore[at]), PATIENCE)
          .toBe(true);
      }
      if (when === "written") {
        await gateway.until(() => haveGrown(before));
        successor.relay.hold();
        expect(Math.max(...written())).toBeLessThan(300);
      }
      if (when === "finished") await cluster.expectSolo(all);
      stopped.relay.release();
      await expect.poll(stopped.running, PATIENCE).toBe(0);
      successor.relay.release();
    }
    await cluster.expectSolo(all);
    await expect.poll(successor.running, PATIENCE).toBe(0);
  },
);
