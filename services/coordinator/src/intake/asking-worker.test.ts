import { callChannel, queueName, REDIS_PREFIX } from "@rhone/common";
import { Queue, Worker } from "bullmq";
import type { Redis } from "ioredis";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { useRedis } from "../testing/use-redis.js";
import { AskingWorker } from "./asking-worker.js";
import { Lease } from "./lease.js";
import { ReplicaLoads } from "./replica-loads.js";

const NAME = queueName({ model: "m", lane: "interactive" });
const LOCK_MS = 60_000;

let redis: Redis;
useRedis((opened) => {
  redis = opened;
});

function openQueue(): Queue {
  const queue = new Queue(NAME, { connection: redis, prefix: REDIS_PREFIX });
  onTestFinished(() => queue.close());
  return queue;
}

function loadsOf(id: string): ReplicaLoads {
  const workload = { rows: 0, rowMs: 1, aloneMs: 10, fullMs: 20, placeMs: 0, answerTokens: 10 };
  const most = { interactive: 64, batch: 16 };
  return new ReplicaLoads({ redis, id, model: "m", limit: 16, most, engine: { workload } });
}

/** A coordinator, as far as it takes jobs. It hears when others call it. */
async function openWorker(id: string, process: () => Promise<void>, lockDuration = LOCK_MS): Promise<AskingWorker> {
  const loads = loadsOf(id);
  const subscriber = redis.duplicate();
  subscriber.on("message", () => loads.changed.interactive.notify());
  await subscriber.subscribe(callChannel(id));
  const timing = { lockDuration, stalledInterval: lockDuration / 2, maxStalledCount: 100 };
  const lease = new Lease({ redis, id, model: "m", lockMs: lockDuration });
  const options = {
    lane: "interactive",
    loads,
    lease,
    redis,
    connection: redis,
    prefix: REDIS_PREFIX,
    ...timing,
  } as const;
  const worker = new AskingWorker(NAME, process, options);
  worker.on("error", () => {});
  onTestFinished(async () => {
    await worker.close();
    subscriber.disconnect();
  });
  await loads.tell([]);
  return worker;
}

const addTo = (queue: Queue, count: number) =>
  queue.addBulk(
    Array.from({ length: count }, (_, index) => ({
      name: "generate",
      data: { route: "" },
      opts: { jobId: `r${index}`, priority: 1 },
    })),
  );

/** `reached` resolves when `count` has been called `most` times. */
function countTo(most: number): { readonly reached: Promise<void>; readonly count: () => void } {
  let [counted, reach] = [0, (): void => {}];
  const reached = new Promise<void>((resolve) => {
    reach = resolve;
  });
  const count = (): void => {
    if (++counted === most) reach();
  };
  return { reached, count };
}

describe("a worker that asks", () => {
  it.each([
    ["with", 3],
    ["without", 0],
  ])("takes a job %s a turn as BullMQ's own worker does", async (_, priority) => {
    const queue = openQueue();
    const worker = new Worker(NAME, null, { connection: redis, prefix: REDIS_PREFIX, lockDuration: LOCK_MS });
    onTestFinished(() => worker.close());
    /** What the queue is like when the job was taken. */
    const afterwards = async (take: () => Promise<unknown>) => {
      await redis.flushall();
      await queue.add("generate", { route: "" }, { jobId: "r", priority, timestamp: 1 });
      await take();
      const lock = `${queue.toKey("r")}:lock`;
      const { processedOn, ...job } = await redis.hgetall(queue.toKey("r"));
      expect(Math.abs(Number(processedOn) - Date.now())).toBeLessThan(10_000);
      return {
        job,
        lock: await redis.get(lock),
        lasts: Math.round((await redis.pttl(lock)) / 20_000),
        active: await redis.lrange(queue.toKey("active"), 0, -1),
        waiting: await redis.exists(queue.toKey("prioritized"), queue.toKey("wait")),
        events: (await redis.xrange(queue.toKey("events"), "-", "+")).map(([, fields]) => fields),
      };
    };
    const own = await afterwards(() => worker.getNextJob("token", { block: false }));
    const from = { lane: "interactive", toKey: queue.toKey, token: "token", lockMs: LOCK_MS } as const;
    expect(await afterwards(() => loadsOf("a").take(from))).toEqual(own);
    expect(own.active).toEqual(["r"]);
  });

  it("puts jobs back at once whose answer was lost with the connection", async () => {
    const begun = countTo(4);
    const worker = await openWorker("a", async () => begun.count());
    await addTo(openQueue(), 4);
    const run = redis.eval.bind(redis);
    // The client sends a command again whose answer it has not got.
    const asked = vi.spyOn(redis, "eval").mockImplementationOnce(async (...args: Parameters<typeof run>) => {
      expect(await run(...args)).toHaveLength(4);
      redis.emit("close");
      return run(...args);
    });
    onTestFinished(() => asked.mockRestore());
    void worker.run();
    await begun.reached; // their locks last for a minute
  });

  it("needs few round trips for many jobs: 4 for each of 8 workers and 128 jobs", async () => {
    const begun = countTo(128);
    const released = countTo(1);
    const process = (): Promise<void> => {
      begun.count();
      return released.reached;
    };
    await addTo(openQueue(), 128);
    const workers: AskingWorker[] = [];
    for (let index = 0; index < 8; index++) workers.push(await openWorker(`c${index}`, process));
    const asked = vi.spyOn(redis, "eval");
    onTestFinished(() => {
      asked.mockRestore();
      released.count();
    });
    for (const worker of workers) void worker.run();
    await begun.reached;
    expect(asked.mock.calls.length).toBeLessThanOrEqual(32);
  });

  it("runs the jobs of one that died before it had Redis's answer", async () => {
    const ended = countTo(20);
    const queue = openQueue();
    await addTo(queue, 20);
    const died = loadsOf("died");
    await died.take({ lane: "interactive", toKey: queue.toKey, token: "token", lockMs: 20 });
    await died.leave();
    expect(await queue.getActiveCount()).toBe(20);
    const worker = await openWorker("b", async () => ended.count(), 50);
    void worker.run();
    await ended.reached;
    await expect.poll(() => queue.getCompletedCount()).toBe(20);
  });
});
