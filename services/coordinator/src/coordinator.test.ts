import {
  CANCEL_CHANNEL,
  cancelledKey,
  decodeEvent,
  type GenerationEvent,
  ordinalAfter,
  PROTOCOL_VERSION,
  statusKey,
  tokenLogKey,
} from "@rhone/common";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { fakeJob } from "./testing/fake-job.js";
import { fakeModel } from "./testing/fake-model.js";
import { FakeWorker, type FakeWorkerOptions } from "./testing/fake-worker.js";
import { runAlone } from "./testing/next-token.js";
import { TestCoordinator, TestGateway } from "./testing/test-cluster.js";
import { startValkey, type TestValkey } from "./testing/valkey.js";

const tokensOf = (events: readonly GenerationEvent[]) => events.flatMap((event) => event.tokens);
const prompt = (length: number, seed = 1) => Array.from({ length }, (_, index) => (index * 31 + seed * 17) % 997);
const jobs = (count: number, maxTokens = 12) =>
  Array.from({ length: count }, (_, index) =>
    fakeJob({ requestId: `r${index}`, promptIds: prompt(5 + index * 3, index), maxTokens }),
  );

let valkey: TestValkey;
let gateway: TestGateway;
let coordinator: TestCoordinator;
const workers: FakeWorker[] = [];

beforeAll(async () => {
  valkey = await startValkey();
});

afterAll(async () => {
  await valkey.stop();
});

beforeEach(async () => {
  gateway = await TestGateway.open(valkey.url);
  await gateway.redis.flushall();
});

afterEach(async () => {
  for (const worker of workers.splice(0)) worker.kill();
  await coordinator.close();
  await gateway.close();
});

async function join(worker: string, options: Partial<FakeWorkerOptions> = {}): Promise<FakeWorker> {
  const joined = await FakeWorker.start({ worker, coordinator: coordinator.addresses.grpc, ...options });
  workers.push(joined);
  return joined;
}

async function cluster(count: number, flags: readonly string[] = [], model = fakeModel()): Promise<void> {
  coordinator = await TestCoordinator.start(valkey.url, ["--workers", String(count), ...flags], model);
  for (let index = 0; index < count; index++) await join(`w${index}`);
  await coordinator.until((status) => status.state === "ready");
}

async function expectSolo(expected: ReturnType<typeof jobs>, slidingWindow = 0): Promise<void> {
  for (const job of expected) {
    const events = await gateway.finished(job.requestId);
    expect(events.map((event) => event.ordinal)).toEqual([0, ...events.slice(0, -1).map(ordinalAfter)]);
    expect(tokensOf(events)).toEqual(runAlone(job.promptIds, job.maxTokens, slidingWindow).tokens);
  }
}

describe("a coordinator with its workers", () => {
  it.each([1, 2, 5])("answers many requests at once over %i stages", async (stages) => {
    await cluster(stages, [], fakeModel({ slidingWindow: 20 }));
    const all = jobs(12, 20);
    for (const job of all) await gateway.submit(job);
    await expectSolo(all, 20);
    const status = await coordinator.until(({ sequences }) => sequences.running === 0);
    expect(status.pages.free + status.pages.cached).toBe(status.pages.total);
    expect(status.workers.map(({ layers }) => layers?.[1])).toHaveLength(stages);
  });

  it("runs the job of a light key before the backlog of a heavy one that fills all places", async () => {
    await cluster(1, ["--max-sequences", "1"]);
    const heavy = jobs(16, 30).map((job) => ({ ...job, keyId: "heavy" }));
    for (const job of heavy) await gateway.submit(job);
    await gateway.submit(fakeJob({ requestId: "light", promptIds: prompt(4), maxTokens: 4, keyId: "light" }));
    await gateway.finished("light");
    const over = heavy.filter(({ requestId }) => gateway.events(requestId).some(({ finish }) => finish !== undefined));
    expect(over.length).toBeLessThan(12);
    await expectSolo(heavy);
  });

  it("says what it waits for", async () => {
    coordinator = await TestCoordinator.start(valkey.url, ["--workers", "2"]);
    await join("w0");
    const status = await coordinator.until(({ workers: joined }) => joined.length === 1);
    expect(status).toMatchObject({ state: "waiting_for_workers", reason: "1 of 2 workers have joined" });
    expect((await fetch(`http://${coordinator.addresses.ops}/ready`)).status).toBe(503);
    const published = await gateway.redis.get(statusKey(status.coordinator));
    expect(JSON.parse(published ?? "{}").state).toBe("waiting_for_workers");
  });

  it("continues without a lost, doubled or changed token when a worker dies and returns", async () => {
    let steps = 0;
    coordinator = await TestCoordinator.start(valkey.url, ["--workers", "3"]);
    for (const worker of ["w0", "w1", "w2"]) {
      await join(worker, { onStep: () => worker === "w1" && ++steps === 12 && workers[1]?.kill() });
    }
    await coordinator.until((status) => status.state === "ready");
    const all = jobs(6, 30);
    for (const job of all) await gateway.submit(job);
    await coordinator.until((status) => status.state === "waiting_for_workers");
    await join("w1");
    await expectSolo(all);
    expect((await coordinator.status()).epoch).toBeGreaterThan(1);
    expect(workers[0]?.loads).toHaveLength(1); // survivors keep their shards
  });

  it("cuts the layers again when measured times make another cut clearly faster, once", async () => {
    coordinator = await TestCoordinator.start(valkey.url, ["--workers", "2"]);
    await join("fast");
    await join("slow", { layerMs: 3 });
    const status = await coordinator.until(({ state }) => state === "ready");
    const layers = Object.fromEntries(status.workers.map((worker) => [worker.worker, worker.layers]));
    expect(layers).toEqual({ fast: [0, 6], slow: [6, 8] });
    expect(workers.map(({ loads }) => loads.length)).toEqual([2, 2]);
    expect(status.workers.map(({ stepTimes }) => stepTimes?.alone[0]?.layerMs)).toEqual([1, 3]);
    await gateway.submit(fakeJob({ requestId: "a", promptIds: prompt(5), maxTokens: 4 }));
    expect(tokensOf(await gateway.finished("a"))).toHaveLength(4);
  });

  it("gives a lost worker's layers to a spare", async () => {
    await cluster(2);
    await join("spare");
    await coordinator.until((status) => status.workers.length === 3);
    workers[0]?.kill();
    const status = await coordinator.until(({ state, epoch }) => state === "ready" && epoch === 2);
    const layers = Object.fromEntries(status.workers.map((worker) => [worker.worker, worker.layers]));
    expect(layers).toEqual({ w1: [4, 8], spare: [0, 4] });
  });

  it("ends requests with a reason when no worker comes back", async () => {
    await cluster(1, ["--recovery-timeout", "0.2"]);
    await gateway.submit(fakeJob({ requestId: "a", promptIds: prompt(5), maxTokens: 100 }));
    await gateway.until(() => gateway.events("a").length > 0);
    workers[0]?.kill();
    expect((await gateway.finished("a")).at(-1)?.finish).toMatchObject({ reason: "error", code: "WORKER_LOST" });
  });

  it("shows why a shard could not be loaded, and tries again when another worker joins", async () => {
    coordinator = await TestCoordinator.start(valkey.url, ["--workers", "1"]);
    const failing = await join("w0", { loadFailure: { code: "OUT_OF_MEMORY", message: "8 GiB needed, 1 GiB there" } });
    const status = await coordinator.until(({ state }) => state === "failed");
    expect(status.reason).toMatch(/OUT_OF_MEMORY: Worker w0 .* 8 GiB needed/);
    failing.kill();
    await join("w1");
    await coordinator.until(({ state }) => state === "ready");
  });

  const outOfMemory = { code: "OUT_OF_MEMORY", message: "8 GiB needed, 1 GiB there" };

  it("replaces a worker that can't load by one that joins later, and tries it again when that is lost", async () => {
    coordinator = await TestCoordinator.start(valkey.url, ["--workers", "1"]);
    const failing = await join("w0", { loadFailure: outOfMemory });
    await coordinator.until(({ state }) => state === "failed");
    const sound = await join("w1");
    const status = await coordinator.until(({ state }) => state === "ready");
    expect(status.workers.map(({ worker, layers }) => [worker, layers])).toEqual([
      ["w0", null],
      ["w1", [0, 8]],
    ]);
    await expect.poll(() => failing.releases).toBe(1);
    sound.kill();
    await coordinator.until(({ state, reason }) => state === "failed" && /Worker w0/.test(reason ?? ""));
    expect(failing.loads).toHaveLength(2);
  });

  it("lets every spare try before it waits for another worker", async () => {
    await cluster(1);
    await join("w1", { loadFailure: outOfMemory });
    await join("w2");
    await coordinator.until(({ workers: joined }) => joined.length === 3);
    workers[0]?.kill();
    const status = await coordinator.until(({ state, epoch }) => state === "ready" && epoch > 1);
    expect(status.workers.map(({ worker, layers }) => [worker, layers])).toEqual([
      ["w1", null],
      ["w2", [0, 8]],
    ]);
  });

  it("does not miss a worker that joins while another one's load is about to fail", async () => {
    coordinator = await TestCoordinator.start(valkey.url, ["--workers", "1"]);
    let fail = (): void => {};
    const beforeLoaded = new Promise<void>((resolve) => {
      fail = resolve;
    });
    await join("w0", { loadFailure: outOfMemory, beforeLoaded });
    await coordinator.until(({ state }) => state === "loading");
    await join("w1");
    await coordinator.until(({ workers: joined }) => joined.length === 2);
    fail();
    const status = await coordinator.until(({ state }) => state === "ready");
    expect(status.workers.map(({ layers }) => layers)).toEqual([null, [0, 8]]);
  });

  it("says what is lacking when the model does not fit", async () => {
    coordinator = await TestCoordinator.start(valkey.url, ["--workers", "1"]);
    await join("w0", { memoryTotal: 2000 });
    const status = await coordinator.until(({ state }) => state === "failed");
    expect(status.reason).toMatch(/NOT_ENOUGH_MEMORY: .*w0: layers 0 to 7 need 0.2799 MiB, it has 0.0019 MiB/);
  });

  it("refuses a worker of another protocol", async () => {
    coordinator = await TestCoordinator.start(valkey.url, ["--workers", "1"]);
    const worker = await join("w0", { protocol: 99 });
    await expect.poll(() => worker.ended).toContain(`speaks wire protocol 99, this coordinator ${PROTOCOL_VERSION}`);
  });

  it("ends the one request that makes a stage fail, and serves the others", async () => {
    let poison = 0;
    coordinator = await TestCoordinator.start(valkey.url, ["--workers", "1"]);
    await join("w0", {
      onStep: () => {
        if (poison-- > 0) throw new Error("the stage does not like this");
      },
    });
    await coordinator.until(({ state }) => state === "ready");
    poison = 6;
    await gateway.submit(fakeJob({ requestId: "bad", promptIds: prompt(4) }));
    expect((await gateway.finished("bad")).at(-1)?.finish).toMatchObject({
      reason: "error",
      code: "REQUEST_BREAKS_PIPELINE",
      message: expect.stringContaining("the stage does not like this"),
    });
    const good = fakeJob({ requestId: "good", promptIds: prompt(4) });
    await gateway.submit(good);
    await expectSolo([good]);
  }, 20_000);
});

describe("a request that kills a worker whenever it begins", () => {
  it("is ended after a few pipelines; the others, which began beside it, get all their tokens", async () => {
    coordinator = await TestCoordinator.start(valkey.url, ["--workers", "2"]);
    let deaths = 0;
    const joinLast = async (): Promise<void> => {
      const last = await join(`last${deaths}`, {
        onStep: ({ opens }) => {
          if (!opens?.some(({ sampling }) => sampling?.seed === 666)) return;
          deaths++;
          last.kill();
          void joinLast();
        },
      });
    };
    await join("first");
    await joinLast();
    await coordinator.until(({ state }) => state === "ready");
    const [bad = fakeJob({ requestId: "bad", promptIds: [] }), ...good] = jobs(8, 30);
    await gateway.submit({ ...bad, sampling: { ...bad.sampling, seed: 666 } });
    for (const job of good) await gateway.submit(job);
    expect((await gateway.finished(bad.requestId)).at(-1)?.finish).toMatchObject({
      reason: "error",
      code: "REQUEST_BREAKS_PIPELINE",
      message: expect.stringContaining("Worker last5 was lost"),
    });
    await expectSolo(good);
    expect(deaths).toBe(6);
  }, 60_000);
});

describe("a coordinator and constrained requests", () => {
  const constraint = { grammar: 'root ::= "a"', trigger: null, otherwise: null };

  it("lets them begin when their grammars are prepared", async () => {
    await cluster(3);
    const all = jobs(4).map((job) => ({ ...job, constraint }));
    for (const job of all) await gateway.submit(job);
    await expectSolo(all);
  });

  it("ends them alone, by name, when their grammars are refused", async () => {
    coordinator = await TestCoordinator.start(valkey.url, ["--workers", "1"]);
    await join("w0", { refuses: { code: "STAGE_FAILED", message: "too much" } });
    await coordinator.until(({ state }) => state === "ready");
    const [refused = fakeJob({ requestId: "x", promptIds: [] }), free = refused] = jobs(2);
    await gateway.submit({ ...refused, constraint });
    await gateway.submit(free);
    const finish = { reason: "error", code: "STAGE_FAILED", message: "too much" };
    expect((await gateway.finished(refused.requestId)).at(-1)?.finish).toEqual(finish);
    await expectSolo([free]);
    expect((await coordinator.status()).epoch).toBe(1);
  });
});

describe("a coordinator and its queue", () => {
  it("cancels a running request and frees its pages", async () => {
    await cluster(2);
    await gateway.submit(fakeJob({ requestId: "a", promptIds: prompt(5), maxTokens: 120 }));
    await gateway.until(() => gateway.events("a").length >= 2);
    await gateway.redis.set(cancelledKey("a"), "1");
    await gateway.redis.publish(CANCEL_CHANNEL, "a");
    expect((await gateway.finished("a")).at(-1)?.finish).toEqual({ reason: "cancelled" });
    const { pages } = await coordinator.status();
    expect(pages.free + pages.cached).toBe(pages.total);
  });

  it("does not begin a request that was cancelled in the queue", async () => {
    await gateway.redis.set(cancelledKey("a"), "1");
    await gateway.submit(fakeJob({ requestId: "a", promptIds: prompt(5) }));
    await cluster(1);
    const events = await gateway.finished("a");
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({ tokens: [], finish: { reason: "cancelled" } });
  });

  it("answers a job that it does not understand", async () => {
    await cluster(1);
    await gateway.submitRaw({ requestId: "a", replyTo: "gateway", promptIds: "no" });
    expect((await gateway.finished("a"))[0]?.finish).toMatchObject({ reason: "error", code: "INVALID_REQUEST" });
  });

  it("gives its jobs back when it closes; the next coordinator continues where the log ends", async () => {
    await cluster(1);
    const job = fakeJob({ requestId: "a", promptIds: prompt(5), maxTokens: 100 });
    await gateway.submit(job);
    await gateway.until(() => gateway.events("a").length >= 3);
    await coordinator.close();
    const logged = async (): Promise<readonly number[]> => {
      const entries = await gateway.redis.xrange(tokenLogKey("a"), "-", "+");
      return entries.flatMap(([, fields]) => decodeEvent(fields[1] ?? "").tokens);
    };
    expect((await logged()).length).toBeLessThan(100);
    await cluster(1);
    await expectSolo([job]);
    expect(await logged()).toEqual(tokensOf(gateway.events("a")));
  });

  it("writes each token before it announces it", async () => {
    await cluster(2);
    const job = fakeJob({ requestId: "a", promptIds: prompt(5), maxTokens: 20, logprobs: 0, promptLogprobs: 0 });
    await gateway.submit(job);
    const announced = await gateway.finished("a");
    const entries = await gateway.redis.xrange(tokenLogKey("a"), "-", "+");
    expect(entries.map(([id]) => id)).toEqual(announced.map((_, index) => `${index + 1}-0`));
    expect(entries.map(([, fields]) => decodeEvent(fields[1] ?? ""))).toEqual(announced);
    expect(announced[0]?.promptLogprobs).toHaveLength(4);
    expect(announced.at(-1)?.usage).toEqual({ promptTokens: 5, completionTokens: 20, cachedTokens: 0 });
    expect(await gateway.redis.ttl(tokenLogKey("a"))).toBeGreaterThan(500);
  });
});
