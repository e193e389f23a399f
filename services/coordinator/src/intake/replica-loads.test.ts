import { callChannel, calledKey, loadsKey, openRedis, prefixesKey } from "@rhone/common";
import type { Redis } from "ioredis";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startValkey, type TestValkey } from "../../../../packages/common/src/testing/valkey.js";
import type { Engine } from "../engine/engine.js";
import { ReplicaLoads, type UnbegunJob } from "./replica-loads.js";

const QUEUE = { lane: "interactive", prioritizedKey: "prioritized", waitKey: "wait", jobKey: "job:" } as const;
const LINKS = ["aaaaaaaaaaa", "bbbbbbbbbbb", "ccccccccccc"];

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

type Work = Partial<Engine["workload"]>;

interface Settings {
  readonly limit?: number;
  readonly work?: Work;
}

/** A row takes 1 ms, a token 10 ms alone and 20 beside all others, an answer 10 tokens. */
function coordinator(id: string, { limit = 4, work = {} }: Settings = {}) {
  const workload = { rows: 0, rowMs: 1, aloneMs: 10, fullMs: 20, placeMs: 0, answerTokens: 10, ...work };
  const most = { interactive: 4 * limit, batch: limit };
  return new ReplicaLoads({ redis, id, model: "m", limit, most, engine: { workload } });
}

let jobs = 0;
/** Puts a job on the queue, behind the others. */
async function put(route = "32 10 32 "): Promise<string> {
  const id = `r-${jobs++}`;
  await redis.hset(`${QUEUE.jobKey}${id}`, "data", JSON.stringify({ stop: ['"route":"9 9 9 x"'], route }));
  await redis.zadd(QUEUE.prioritizedKey, jobs, id);
  return id;
}

/** Which of them takes the first job, asked in this order and again as often as one is called; it is gone then. */
async function taker(...loads: readonly ReplicaLoads[]): Promise<number> {
  for (let round = 0; round < 2; round++)
    for (const [index, each] of loads.entries())
      if (await each.ask(QUEUE)) {
        each.arrived();
        await redis.zpopmin(QUEUE.prioritizedKey);
        return index;
      }
  return -1;
}

describe("coordinators of a model", () => {
  it("take jobs in turn", async () => {
    const [a, b] = [coordinator("a"), coordinator("b")];
    await Promise.all([a.tell([]), b.tell([])]);
    const takers: number[] = [];
    for (let job = 0; job < 6; job++) {
      await put();
      takers.push(await taker(a, b));
    }
    expect(takers.filter((one) => one === 0)).toHaveLength(3);
    expect([a.held, b.held]).toEqual([3, 3]);
  });

  it("take them in proportion to the sequences that they run", async () => {
    const [small, large] = [coordinator("small", { limit: 2 }), coordinator("large", { limit: 6 })];
    await Promise.all([small.tell([]), large.tell([])]);
    for (let job = 0; job < 24; job++) {
      await put();
      await taker(small, large);
    }
    expect(large.held / small.held).toBeGreaterThan(2);
  });

  it("share alike while nobody knows what a step takes", async () => {
    const work = { rowMs: 0, aloneMs: 0, fullMs: 0 };
    const [a, b] = [coordinator("a", { work }), coordinator("b", { work })];
    await Promise.all([a.tell([]), b.tell([])]);
    for (let job = 0; job < 6; job++) {
      await put();
      await taker(a, b);
    }
    expect([a.held, b.held]).toEqual([3, 3]);
  });

  it("believe one that has not run a step to be as fast as the others", async () => {
    const [a, b] = [coordinator("a"), coordinator("b", { work: { rowMs: 0, aloneMs: 0, fullMs: 0 } })];
    await Promise.all([a.tell([]), b.tell([])]);
    for (let job = 0; job < 6; job++) {
      await put();
      await taker(a, b);
    }
    expect([a.held, b.held]).toEqual([3, 3]);
  });

  it("take what they can hold alone, and no more", async () => {
    const alone = coordinator("alone", { limit: 2 });
    for (let job = 0; job < 9; job++) await put();
    for (let job = 0; job < 8; job++) expect(await taker(alone)).toBe(0);
    expect(await taker(alone)).toBe(-1);
    alone.ended("interactive");
    expect(await taker(alone)).toBe(0);
  });

  it("take none where none waits, and those without a turn first", async () => {
    const a = coordinator("a");
    expect(await a.ask(QUEUE)).toBe(false);
    await redis.lpush(QUEUE.waitKey, "raw");
    expect(await a.ask(QUEUE)).toBe(true);
    expect(await redis.get(calledKey({ model: "m", lane: "interactive" }))).toMatch(/^raw a \d+$/);
  });

  it("are forgotten a minute after the last", async () => {
    await coordinator("a").tell([]);
    expect(await redis.ttl(loadsKey("m"))).toBeGreaterThan(50);
  });
});

/** One that could not be faster, and can hold no job. */
const fullOne = (id: string) => {
  const workload = { rows: 0, rowMs: 0.1, aloneMs: 0.1, fullMs: 0.1, placeMs: 0, answerTokens: 10 };
  return new ReplicaLoads({
    redis,
    id,
    model: "m",
    limit: 4,
    most: { interactive: 0, batch: 0 },
    engine: { workload },
  });
};

describe("a job goes", () => {
  const held = (id: string, ...links: readonly string[]) => redis.sadd(prefixesKey("m", id), ...links);
  const route = (tokens: number) => `${tokens} 10 32 ${LINKS.join("")}`;

  it("where most of its prompt is cached", async () => {
    const [a, b, c] = [coordinator("a"), coordinator("b"), coordinator("c")];
    await Promise.all([a.tell([]), b.tell([]), c.tell([]), held("b", ...LINKS.slice(0, 1)), held("c", ...LINKS)]);
    await put(route(100));
    expect(await taker(a, b, c)).toBe(2);
  });

  it("where its end is cached, also when a window has left its beginning behind", async () => {
    const [a, b] = [coordinator("a"), coordinator("b")];
    await Promise.all([a.tell([]), b.tell([]), held("b", ...LINKS.slice(2))]);
    await put(route(100));
    expect(await taker(a, b)).toBe(1);
  });

  // Its 96 cached rows are worth 96 ms; a token beside three others takes 20 ms instead of 10, theirs 3.3 more each.
  it.each([
    [0, 0, 1],
    [1, 0, 1],
    [2, 0, 0],
    [3, 0, 0],
    [0, 90, 1],
    [0, 110, 0],
  ])("there unless %d jobs and %d rows more cost more than that", async (others, rows, expected) => {
    const [a, b] = [coordinator("a"), coordinator("b", { work: { rows } })];
    for (let job = 0; job < others; job++) {
      await put("1 10 32 ");
      expect(await taker(b)).toBe(0);
    }
    await Promise.all([a.tell([]), b.tell([]), held("b", ...LINKS)]);
    await put(route(97));
    expect(await taker(a, b)).toBe(expected);
  });

  it("after others of its prompt, which will be cached", async () => {
    const [a, b] = [coordinator("a", { limit: 16 }), coordinator("b", { limit: 16 })];
    await Promise.all([a.tell([]), b.tell([])]);
    await put(route(2000));
    const first = await taker(a, b);
    expect((await redis.smembers(prefixesKey("m", "ab"[first] ?? ""))).toSorted()).toEqual(LINKS);
    expect(await redis.ttl(prefixesKey("m", "ab"[first] ?? ""))).toBeGreaterThan(50);
  });

  // Here it costs 304 ms besides, and 397 ms there, where nothing is cached. A whole answer beside others takes 200 ms.
  it.each([
    [0, 1],
    [150, 1],
    [50, 0],
  ])(
    "to a free place elsewhere, unless one is free here soon (in %d ms; 0 = nobody knows)",
    async (placeMs, expected) => {
      const a = coordinator("a", { work: { placeMs } });
      for (let job = 0; job < 4; job++) {
        await put("1 10 32 ");
        expect(await taker(a)).toBe(0);
      }
      const b = coordinator("b", { work: { rows: 200 } });
      await Promise.all([a.tell([]), b.tell([]), held("a", ...LINKS)]);
      await put(route(97));
      expect(await taker(a, b)).toBe(expected);
    },
  );

  it("past a coordinator that can hold no more", async () => {
    const [a, b] = [coordinator("a"), fullOne("b")];
    await Promise.all([a.tell([]), b.tell([]), held("b", ...LINKS)]);
    await put(route(100));
    expect(await taker(b, a)).toBe(1);
  });
});

describe("a coordinator that is called", () => {
  it("hears of it, and others leave the job to it", async () => {
    const [a, b] = [coordinator("a", { work: { rows: 100 } }), coordinator("b")];
    await b.tell([]);
    const subscriber = redis.duplicate();
    const called = new Promise((resolve) => subscriber.on("message", resolve));
    await subscriber.subscribe(callChannel("b"));
    const job = await put();
    expect(await a.ask(QUEUE)).toBe(false);
    expect(await called).toBe(callChannel("b"));
    subscriber.disconnect();
    expect(await redis.get(calledKey({ model: "m", lane: "interactive" }))).toMatch(new RegExp(`^${job} b \\d+$`));
    expect(await coordinator("c").ask(QUEUE)).toBe(false);
    expect(await b.ask(QUEUE)).toBe(true);
  });

  it.each([
    ["has taken nothing for a quarter of a second", 251, true],
    ["was called just now", 0, false],
  ])("and %s (%d ms): another takes the job: %s", async (_, ago, takes) => {
    const [a, b] = [coordinator("a", { work: { rows: 100 } }), coordinator("b")];
    await b.tell([]);
    const job = await put();
    await redis.set(calledKey({ model: "m", lane: "interactive" }), `${job} b ${(await now()) - ago}`);
    expect(await a.ask(QUEUE)).toBe(takes);
  });

  it("and has left, or said nothing for a second, is waited for no longer", async () => {
    const [a, b] = [coordinator("a", { work: { rows: 100 } }), coordinator("b")];
    await b.tell([]);
    await put();
    expect(await a.ask(QUEUE)).toBe(false);
    await b.leave();
    expect(await a.ask(QUEUE)).toBe(true);
    await redis.zpopmin(QUEUE.prioritizedKey);
    await redis.hset(loadsKey("m"), "dead", `0 4 0 1 1 1 0 1 9 9 ${(await now()) - 1001}`);
    await put();
    expect(await a.ask(QUEUE)).toBe(true);
    expect(await redis.hkeys(loadsKey("m"))).toEqual(["a"]);
  });

  const now = async (): Promise<number> => {
    const [seconds, microseconds] = await redis.time();
    return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);
  };
});

describe("jobs that have not begun", () => {
  const unbegun = (lacks: number, route = "100 10 32 "): UnbegunJob => ({ lane: "interactive", lacks, route });

  /** Holds `count` jobs. */
  async function busy(id: string, count: number): Promise<ReplicaLoads> {
    const loads = coordinator(id);
    for (let job = 0; job < count; job++) {
      await put("1 10 32 ");
      await loads.ask(QUEUE);
      loads.arrived();
    }
    await redis.del(QUEUE.prioritizedKey);
    return loads;
  }

  it("stay where nobody else is", async () => {
    const a = await busy("a", 8);
    expect(await a.tell([unbegun(100)])).toEqual([]);
  });

  it("go to another as long as they cost less there", async () => {
    const a = await busy("a", 8);
    await coordinator("b").tell([]);
    const waiting = [unbegun(100), unbegun(100), unbegun(100), unbegun(100)];
    const given = await a.tell(waiting);
    expect(given.length).toBeGreaterThanOrEqual(2);
    expect(given.length).toBeLessThanOrEqual(4);
    expect(given[0]).toBe(waiting[0]);
  });

  it("stay with what is cached of them, while that pays", async () => {
    const a = await busy("a", 5);
    await coordinator("b").tell([]);
    expect(await a.tell([unbegun(1, "2000 10 32 ")])).toEqual([]);
    expect(await a.tell([unbegun(2000, "2000 10 32 ")])).toHaveLength(1);
  });

  it("stay when the others can hold no more", async () => {
    const a = await busy("a", 8);
    await fullOne("b").tell([]);
    expect(await a.tell([unbegun(100)])).toEqual([]);
  });
});

it("rows of a job that may be taken count until the engine knows it", async () => {
  const a = coordinator("a");
  await put("50 10 32 ");
  await a.ask(QUEUE);
  await a.tell([]);
  const rows = async () => Number((await redis.hget(loadsKey("m"), "a"))?.split(" ")[2]);
  expect(await rows()).toBe(50);
  a.arrived();
  await a.tell([]);
  expect(await rows()).toBe(0);
});

it("a job's end is a change", async () => {
  const a = coordinator("a");
  const { version } = a.changed;
  await put();
  await a.ask(QUEUE);
  a.ended("interactive");
  expect(a.changed.version).toBe(version + 1);
  expect(a.held).toBe(0);
});
