import { createLogger, queueName, REDIS_PREFIX } from "@rhone/common";
import { Queue } from "bullmq";
import { type Redis, ReplyError } from "ioredis";
import { expect, it, onTestFinished, vi } from "vitest";
import { fakeJob } from "../testing/fake-job.js";
import { useRedis } from "../testing/use-redis.js";
import { NOTHING_RECORDED } from "../token-log/recorded.js";
import { AskingWorker } from "./asking-worker.js";
import { HandedBack } from "./held-jobs.js";
import { JobPace } from "./job-pace.js";
import { LaneConsumer, type LaneConsumerOptions } from "./lane-consumer.js";
import { ReplicaLoads } from "./replica-loads.js";

let redis: Redis;
useRedis((opened) => {
  redis = opened;
});

/** A lane of a coordinator, and a job that waits for it. `parts` replace the fakes. */
async function setUp(parts: Partial<Record<keyof LaneConsumerOptions, unknown>> = {}) {
  const job = fakeJob({ requestId: "r", promptIds: [1] });
  const queue = new Queue(queueName(job), { connection: redis, prefix: REDIS_PREFIX });
  await queue.add("generate", job, { jobId: "r", priority: 1, removeOnComplete: true, removeOnFail: true });
  const workload = { rows: 0, rowMs: 1, aloneMs: 10, fullMs: 20, placeMs: 0, answerTokens: 10 };
  const most = { interactive: 4, batch: 1 };
  const loads = new ReplicaLoads({ redis, id: "a", model: job.model, limit: 1, most, engine: { workload } });
  const run = vi.fn(async () => {});
  const consumer = new LaneConsumer("interactive", {
    engine: { run, isRunning: () => false, lackingOf: () => null, handBack: () => false },
    lease: { token: (taking: number) => `token:${taking}` },
    tokenLog: { hold: () => {}, leave: () => {}, read: async () => NOTHING_RECORDED },
    cancellations: { has: async () => false },
    links: { doubt: () => {}, tell: async () => {} },
    loads,
    pace: new JobPace(),
    redis,
    connection: redis,
    model: job.model,
    maxSequences: 1,
    lockMs: 60_000,
    logger: createLogger({ service: "test", level: "silent" }),
    ...parts,
  } as unknown as LaneConsumerOptions);
  onTestFinished(async () => {
    await consumer.close();
    await queue.close();
  });
  return { consumer, queue, loads, run };
}

it("jobs that come when the pipeline is lost while they are taken go back to the queue", async () => {
  const { consumer, queue, loads, run } = await setUp();
  const take = loads.take.bind(loads);
  const taken = vi.spyOn(loads, "take").mockImplementation(async (from) => {
    const jobs = await take(from);
    consumer.pause();
    return jobs;
  });
  consumer.resume();
  await expect.poll(() => taken.mock.settledResults.map(({ value }) => value?.length)).toEqual([1]);
  await expect.poll(() => queue.getPrioritizedCount()).toBe(1);
  expect(run).not.toHaveBeenCalled();
  await expect.poll(() => loads.held).toBe(0);
});

it("a job that was taken runs although Redis refuses commands for a while", async () => {
  const { consumer, queue, run } = await setUp();
  const left = vi.spyOn(redis, "zrem").mockRejectedValueOnce(new ReplyError("OOM command not allowed"));
  onTestFinished(() => left.mockRestore());
  consumer.resume();
  await expect.poll(() => run.mock.calls.length, { timeout: 5000 }).toBe(1);
  await expect.poll(() => queue.getActiveCount()).toBe(0);
  expect(left.mock.calls.length).toBeGreaterThan(1);
});

it("a job goes back to its queue although Redis does not take what is told of it, nor the job at first", async () => {
  const refusal = new ReplyError("OOM command not allowed");
  const run = vi.fn().mockRejectedValueOnce(new HandedBack("for another")).mockResolvedValue(undefined);
  const { consumer, queue } = await setUp({
    engine: { run, isRunning: () => false, lackingOf: () => null, handBack: () => false },
    links: { doubt: () => {}, tell: () => Promise.reject(refusal) },
  });
  const back = vi.spyOn(AskingWorker.prototype, "putBack").mockRejectedValueOnce(refusal);
  onTestFinished(() => back.mockRestore());
  consumer.resume();
  await expect.poll(() => run.mock.calls.length, { timeout: 5000 }).toBe(2);
  await expect.poll(() => queue.getActiveCount()).toBe(0);
  expect(back).toHaveBeenCalledTimes(2);
});
