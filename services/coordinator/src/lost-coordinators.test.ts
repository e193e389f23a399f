import { type GenerationJob, jobLockKey, leasesKey, queueName, REDIS_PREFIX } from "@rhone/common";
import { Worker } from "bullmq";
import { describe, expect, it, onTestFinished } from "vitest";
import { placeOf } from "./intake/lease.js";
import { fakeJob } from "./testing/fake-job.js";
import { jobs, prompt, TestCluster } from "./testing/use-cluster.js";

const cluster = TestCluster.use();
const QUEUE = { model: "fake", lane: "interactive" } as const;
const LEASES = leasesKey(QUEUE.model);
const [ELSEWHERE, ANYWHERE] = ["0".repeat(12), "1".repeat(12)];
/** Longer than a test: only leases can release a job. */
const LOCK_MS = 600_000;
const LONG_LOCK = ["--job-lock", `${LOCK_MS / 1000}`];

/** Has `job` taken by a coordinator with a lease of this name. */
async function taken(job: GenerationJob, lease: string): Promise<void> {
  const { gateway } = cluster;
  await gateway.submit(job);
  const options = { connection: gateway.redis, prefix: REDIS_PREFIX, autorun: false, lockDuration: LOCK_MS };
  const worker = new Worker(queueName(QUEUE), null, options);
  expect((await worker.getNextJob(`${lease}:0`, { block: false }))?.id).toBe(job.requestId);
  await worker.close();
  await gateway.redis.hset(LEASES, lease, "7");
}

const job = (requestId: string) => fakeJob({ requestId, promptIds: prompt(5) });

describe("a coordinator", () => {
  it("releases at its start what a process at the same address held", async () => {
    const first = await cluster.start(["--workers", "1"]);
    const address = first.addresses.grpc;
    await first.close();
    const lease = `${placeOf(address)}-dead`;
    await taken(job("a"), lease);
    const port = address.slice(address.lastIndexOf(":") + 1);
    await cluster.start(["--workers", "1", "--port", port, ...LONG_LOCK]);
    expect(await cluster.gateway.redis.hexists(LEASES, lease)).toBe(0);
    await cluster.join("w0");
    await cluster.expectSolo([job("a")]);
  });

  it("releases what another held whose lease is over, and leaves a slow one its jobs", async () => {
    const [dead, slow] = [`${ELSEWHERE}-dead`, `${ANYWHERE}-slow`];
    await taken(job("a"), dead);
    await taken(job("b"), slow);
    const { redis } = cluster.gateway;
    const renewing = setInterval(() => void redis.hincrby(LEASES, slow, 1), 1000);
    onTestFinished(() => clearInterval(renewing));
    await cluster.run(1, LONG_LOCK);
    await cluster.expectSolo([job("a")]);
    expect(cluster.gateway.events("b")).toEqual([]);
    clearInterval(renewing);
    await cluster.expectSolo([job("b")]);
    expect(await redis.hlen(LEASES)).toBe(1);
  });

  it("leaves no lease behind when it is stopped", async () => {
    const coordinator = await cluster.run(1);
    expect(await cluster.gateway.redis.hlen(LEASES)).toBe(1);
    await coordinator.close();
    expect(await cluster.gateway.redis.hlen(LEASES)).toBe(0);
  });
});

it("coordinators from whom jobs are taken in the middle never both write", async () => {
  for (let count = 0; count < 2; count++) await cluster.run(1, LONG_LOCK);
  const all = jobs(8, 80);
  for (const each of all) await cluster.gateway.submit(each);
  const { gateway } = cluster;
  const queue = gateway.queue(QUEUE);
  const written = () => all.reduce((sum, { requestId }) => sum + gateway.events(requestId).length, 0);
  const haveEnded = () => all.every(({ requestId }) => gateway.events(requestId).at(-1)?.finish !== undefined);
  while (!haveEnded()) {
    for (const requestId of await gateway.redis.lrange(queue.toKey("active"), 0, -1)) {
      const token = await gateway.redis.get(jobLockKey({ ...QUEUE, requestId }));
      // It may have ended meanwhile.
      if (token !== null) await queue.backend.moveJobFromActiveToWait(requestId, token).catch(() => {});
    }
    const before = written();
    await gateway.until(() => written() >= before + 40 || haveEnded());
  }
  await cluster.expectSolo(all);
});
