import { callChannel, callsKey, loadsKey, prefixesKey } from "@rhone/common";
import type { Redis } from "ioredis";
import { describe, expect, it } from "vitest";
import type { Engine } from "../engine/engine.js";
import { useRedis } from "../testing/use-redis.js";
import { ReplicaLoads, type UnbegunJob } from "./replica-loads.js";

const keyOf = (type: string): string => `queue:${type}`;
let questions = 0;
const queue = () => ({ lane: "interactive", toKey: keyOf, token: `token:${questions++}`, lockMs: 60_000 }) as const;
const CALLS = callsKey({ model: "m", lane: "interactive" });
const LINKS = ["aaaaaaaaaaa", "bbbbbbbbbbb", "ccccccccccc"];

let redis: Redis;
useRedis((opened) => {
  redis = opened;
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
  await redis.hset(keyOf(id), "data", JSON.stringify({ stop: ['"route":"9 9 9 x"'], route }));
  await redis.zadd(keyOf("prioritized"), jobs, id);
  return id;
}

/** The ids of the jobs that it takes now. */
async function take(loads: ReplicaLoads): Promise<readonly string[]> {
  const ids = (await loads.take(queue())).map(({ id }) => id);
  for (const id of ids) loads.arrived(id);
  return ids;
}

/** Which of them takes the job that waits, asked in this order and again as often as one is called. */
async function taker(...loads: readonly ReplicaLoads[]): Promise<number> {
  for (let round = 0; round < 2; round++)
    for (const [index, each] of loads.entries()) if ((await take(each)).length > 0) return index;
  return -1;
}

it.each([
  ["nothing", null],
  ["a number", 7],
  ["jobs without rows", [["r-1", "many", []]]],
])("an answer of Redis that is %s is refused, and counts as no job", async (_, answer) => {
  const garbled = { eval: async () => answer, hdel: async () => 0 } as unknown as Redis;
  const workload = { rows: 0, rowMs: 1, aloneMs: 10, fullMs: 20, placeMs: 0, answerTokens: 10 };
  const most = { interactive: 4, batch: 1 };
  const loads = new ReplicaLoads({ redis: garbled, id: "a", model: "m", limit: 4, most, engine: { workload } });
  await expect(loads.take(queue())).rejects.toMatchObject({ code: "MESSAGE_MALFORMED" });
  expect(loads.held).toBe(0);
});

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
    const ids: string[] = [];
    for (let job = 0; job < 9; job++) ids.push(await put());
    expect(await take(alone)).toEqual(ids.slice(0, 8));
    expect(await take(alone)).toEqual([]);
    alone.ended("interactive", ids[0] ?? "");
    expect(await take(alone)).toEqual(ids.slice(8));
  });

  it("take none where none waits, and those without a turn first", async () => {
    const a = coordinator("a");
    expect(await take(a)).toEqual([]);
    const job = await put();
    await redis.lpush(keyOf("wait"), "first");
    await redis.lpush(keyOf("wait"), "second");
    expect(await take(a)).toEqual(["first", "second", job]);
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
    const called = new Promise((resolve) => subscriber.on("message", (...message) => resolve(message)));
    await subscriber.subscribe(callChannel("b"));
    const job = await put();
    expect(await take(a)).toEqual([]);
    expect(await called).toEqual([callChannel("b"), "interactive"]);
    subscriber.disconnect();
    expect(await redis.hget(CALLS, job)).toMatch(/^b \d+ 32$/);
    expect(await take(coordinator("c"))).toEqual([]);
    expect(await take(b)).toEqual([job]);
    expect(await redis.exists(CALLS)).toBe(0);
  });

  it.each([
    ["has taken nothing for a quarter of a second", 251, true],
    ["was called just now", 0, false],
  ])("and %s (%d ms): another takes the job: %s", async (_, ago, takes) => {
    const [a, b] = [coordinator("a", { work: { rows: 100 } }), coordinator("b")];
    await b.tell([]);
    const job = await put();
    await redis.hset(CALLS, job, `b ${(await now()) - ago} 32`);
    expect(await take(a)).toEqual(takes ? [job] : []);
  });

  it("and has left, or said nothing for a second, is waited for no longer", async () => {
    const [a, b] = [coordinator("a", { work: { rows: 100 } }), coordinator("b")];
    await b.tell([]);
    const job = await put();
    expect(await take(a)).toEqual([]);
    await b.leave();
    expect(await take(a)).toEqual([job]);
    await redis.hset(loadsKey("m"), "dead", `0 4 0 1 1 1 0 1 9 9 ${(await now()) - 1001}`);
    const next = await put();
    expect(await take(a)).toEqual([next]);
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
    for (let job = 0; job < count; job++) await put("1 10 32 ");
    expect(await take(loads)).toHaveLength(count);
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
  const job = await put("50 10 32 ");
  await a.take(queue());
  await a.tell([]);
  const rows = async () => Number((await redis.hget(loadsKey("m"), "a"))?.split(" ")[2]);
  expect(await rows()).toBe(50);
  a.arrived(job);
  await a.tell([]);
  expect(await rows()).toBe(0);
});

it("a job's end is a change of its lane", async () => {
  const a = coordinator("a");
  const { interactive, batch } = a.changed;
  const [version, other] = [interactive.version, batch.version];
  const job = await put();
  await take(a);
  a.ended("interactive", job);
  expect([interactive.version, batch.version]).toEqual([version + 1, other]);
  expect(a.held).toBe(0);
});
