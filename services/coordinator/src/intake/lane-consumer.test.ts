import { createLogger, queueName, REDIS_PREFIX } from "@rhone/common";
import { Queue } from "bullmq";
import type { Redis } from "ioredis";
import { expect, it, onTestFinished, vi } from "vitest";
import { fakeJob } from "../testing/fake-job.js";
import { useRedis } from "../testing/use-redis.js";
import { JobPace } from "./job-pace.js";
import { LaneConsumer, type LaneConsumerOptions } from "./lane-consumer.js";
import { ReplicaLoads } from "./replica-loads.js";

let redis: Redis;
useRedis((opened) => {
  redis = opened;
});

it("jobs that come when the pipeline is lost while they are taken go back to the queue", async () => {
  const job = fakeJob({ requestId: "r", promptIds: [1] });
  const queue = new Queue(queueName(job), { connection: redis, prefix: REDIS_PREFIX });
  await queue.add("generate", job, { jobId: "r", priority: 1 });
  const workload = { rows: 0, rowMs: 1, aloneMs: 10, fullMs: 20, placeMs: 0, answerTokens: 10 };
  const most = { interactive: 4, batch: 1 };
  const loads = new ReplicaLoads({ redis, id: "a", model: job.model, limit: 1, most, engine: { workload } });
  const take = loads.take.bind(loads);
  const taken = vi.spyOn(loads, "take").mockImplementation(async (from) => {
    const jobs = await take(from);
    consumer.pause();
    return jobs;
  });
  const run = vi.fn();
  const consumer = new LaneConsumer("interactive", {
    engine: { run, lackingOf: () => null, handBack: () => false },
    lease: { token: () => "token" },
    tokenLog: { hold: () => {}, leave: () => {} },
    links: { doubt: () => {}, tell: async () => {} },
    loads,
    pace: new JobPace(),
    redis,
    connection: redis,
    model: job.model,
    maxSequences: 1,
    lockMs: 60_000,
    logger: createLogger({ service: "test", level: "silent" }),
  } as unknown as LaneConsumerOptions);
  onTestFinished(async () => {
    await consumer.close();
    await queue.close();
  });
  consumer.resume();
  await expect.poll(() => taken.mock.settledResults.map(({ value }) => value?.length)).toEqual([1]);
  await expect.poll(() => queue.getPrioritizedCount()).toBe(1);
  expect(run).not.toHaveBeenCalled();
  await expect.poll(() => loads.held).toBe(0);
});
