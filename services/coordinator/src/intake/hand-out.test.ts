import { callsKey, loadsKey } from "@rhone/common";
import fc from "fast-check";
import type { Redis } from "ioredis";
import { expect, it, onTestFinished, vi } from "vitest";
import { useRedis } from "../testing/use-redis.js";
import { ReplicaLoads } from "./replica-loads.js";

const keyOf = (type: string): string => `queue:${type}`;
let questions = 0;
const queue = () => ({ lane: "interactive", toKey: keyOf, token: `token:${questions++}`, lockMs: 60_000 }) as const;
const [WAIT, TURNS, ACTIVE] = [keyOf("wait"), keyOf("prioritized"), keyOf("active")];
const LINKS = "aaaaaaaaaaabbbbbbbbbbb";

let redis: Redis;
useRedis((opened) => {
  redis = opened;
});

/** A coordinator, and what it holds. */
interface Coordinator {
  readonly loads: ReplicaLoads;
  readonly most: number;
  readonly holds: Set<string>;
}

function open(id: string, limit: number): Coordinator {
  const workload = { rows: 0, rowMs: 1, aloneMs: 10, fullMs: 20, placeMs: 0, answerTokens: 10 };
  const most = { interactive: 2 * limit, batch: limit };
  const loads = new ReplicaLoads({ redis, id, model: "m", limit, most, engine: { workload } });
  return { loads, most: most.interactive, holds: new Set() };
}

async function put(id: string, { turn = 1, links = "", bytes = 0 } = {}): Promise<void> {
  const data = JSON.stringify({ route: `100 10 32 ${links}`, promptIds: "1".repeat(bytes) });
  await redis.hset(keyOf(id), "data", data);
  await redis.zadd(TURNS, turn * 2 ** 32 + Number.parseInt(id.slice(1), 10), id);
}

/** The jobs that wait, in the order of their turns; those that went back for a coordinator that died go first. */
const waiting = async (): Promise<readonly string[]> => [
  ...(await redis.lrange(WAIT, 0, -1)).toReversed(),
  ...(await redis.zrange(TURNS, 0, "-1")),
];

async function take({ loads, holds }: Coordinator): Promise<readonly string[]> {
  const ids = (await loads.take(queue())).map(({ id }) => id);
  for (const id of ids) holds.add(id);
  return ids;
}

it("one question decides about 128 jobs, 16 for each of 8 coordinators, and takes the asker's", async () => {
  const [first, others] = [open("c0", 16), Array.from({ length: 7 }, (_, index) => open(`c${index + 1}`, 16))];
  await Promise.all(Array.from({ length: 128 }, (_, job) => put(`r${job}`)));
  // Sent together: a load is fresh for a second only.
  const told = others.map(({ loads }) => loads.tell([]));
  expect(await take(first)).toHaveLength(16);
  await Promise.all(told);
  const calls = await redis.hvals(callsKey({ model: "m", lane: "interactive" }));
  const called = calls.map((call) => call.split(" ")[0]);
  for (let index = 1; index < 8; index++) expect(called.filter((id) => id === `c${index}`)).toHaveLength(16);
});

it("large jobs come one at a time, so that no turn of the event loop has many to parse", async () => {
  const alone = open("a", 16);
  for (let job = 0; job < 3; job++) await put(`r${job}`, { bytes: 300_000 });
  for (let job = 0; job < 3; job++) expect(await take(alone)).toEqual([`r${job}`]);
});

it("a job with an earlier turn is not behind jobs that others were called for", async () => {
  const [a, b] = [open("a", 1), open("b", 1)];
  for (let job = 0; job < 4; job++) await put(`r${job}`, { turn: 2 });
  await Promise.all([a.loads.tell([]), b.loads.tell([])]);
  const taken = [...(await take(a))];
  await put("r9", { turn: 1 });
  taken.push(...(await take(b)), ...(await take(a)));
  expect(taken).toContain("r9");
});

it("a coordinator that told its load, or was called, in the future is gone: Redis's clock was set back since", async () => {
  const [a, b] = [open("a", 1), open("b", 4)];
  await put("r0");
  const later = Date.now() + 3_600_000;
  await b.loads.tell([]);
  const load = (await redis.hget(loadsKey("m"), "b"))?.replace(/ \d+$/, ` ${later}`) ?? "";
  await redis.hset(loadsKey("m"), "b", load);
  expect(await take(a)).toEqual(["r0"]);
  await put("r1");
  await b.loads.tell([]);
  await redis.hset(callsKey({ model: "m", lane: "interactive" }), "r1", `b ${later} 10`);
  expect(await take(a)).toEqual(["r1"]);
});

it("nothing is taken from a queue that is paused", async () => {
  await put("r0");
  await redis.hset(keyOf("meta"), "paused", 1);
  expect(await take(open("a", 1))).toEqual([]);
});

it("a question that comes again, because the connection broke before its answer, has the same answer", async () => {
  const { loads } = open("a", 2);
  for (let job = 0; job < 6; job++) await put(`r${job}`);
  const question = queue();
  const evaluate = redis.eval.bind(redis);
  const spy = vi.spyOn(redis, "eval").mockImplementation(async (...args) => {
    await evaluate(...args);
    return evaluate(...args);
  });
  onTestFinished(() => spy.mockRestore());
  const taken = await loads.take(question);
  expect(taken.map(({ id }) => id)).toEqual(["r0", "r1", "r2", "r3"]);
  expect(taken[0]?.fields).toContain("data");
  expect(await redis.lrange(ACTIVE, 0, -1)).toHaveLength(4);
  expect(await loads.take(queue())).toEqual([]);
});

const which = fc.nat(2);
/** What happens to the jobs of a queue. A coordinator that dies is followed by another. */
const happening = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("put"), turn: fc.integer({ min: 1, max: 3 }), who: which }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom("ask", "end"), who: which }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("cancel", "die", "die with the answer"), who: which }) },
);

it("every job is run once, by one coordinator, in the order of turns, also when coordinators die", async () => {
  const counts = fc.integer({ min: 1, max: 3 });
  const property = fc.asyncProperty(counts, fc.array(happening, { maxLength: 40 }), async (count, happenings) => {
    await redis.flushall();
    const living = Array.from({ length: count }, (_, index) => open(`c${index}`, 1 + index));
    const dead: Coordinator[] = [];
    const [ended, cancelled] = [new Set<string>(), new Set<string>()];
    let jobs = 0;

    const ask = async (each: Coordinator): Promise<void> => {
      const [order, held] = [await waiting(), new Set(living.flatMap(({ holds }) => [...holds]))];
      const room = each.most - each.holds.size;
      const ids = await take(each);
      expect(ids).toEqual(order.filter((id) => ids.includes(id)));
      expect(ids.filter((id) => held.has(id) || ended.has(id) || cancelled.has(id))).toEqual([]);
      expect(each.holds.size).toBeLessThanOrEqual(each.most);
      if ((await redis.hlen(loadsKey("m"))) === 1) expect(ids).toEqual(order.slice(0, room));
    };
    const end = async ({ loads, holds }: Coordinator): Promise<void> => {
      const [id] = holds;
      if (id === undefined) return;
      holds.delete(id);
      loads.ended("interactive", id);
      ended.add(id);
      await redis.lrem(ACTIVE, 1, id);
      await redis.del(keyOf(id), `${keyOf(id)}:lock`);
    };
    /** As BullMQ finds jobs whose locks have ended. */
    const die = async (index: number): Promise<void> => {
      const each = living[index] as Coordinator;
      dead.push(each);
      living[index] = open(`c${index}-after-${dead.length}`, 1 + index);
      for (const id of each.holds) {
        await redis.lrem(ACTIVE, 1, id);
        await redis.rpush(WAIT, id);
      }
    };

    for (const { kind, who, ...fields } of happenings) {
      const each = living[who % count] as Coordinator;
      if (kind === "put") await put(`r${jobs++}`, { ...fields, links: who === 0 ? LINKS : "" });
      if (kind === "ask") await ask(each);
      if (kind === "end") await end(each);
      if (kind === "die with the answer") await take(each);
      if (kind.startsWith("die")) await die(who % count);
      const [first] = kind === "cancel" ? await waiting() : [];
      if (first === undefined) continue;
      cancelled.add(first);
      await redis.lrem(WAIT, 1, first);
      await redis.zrem(TURNS, first);
    }
    for (const { loads } of dead) await loads.leave();
    for (let sweep = 0; sweep <= jobs && ended.size + cancelled.size < jobs; sweep++)
      for (const each of living) {
        await ask(each);
        while (each.holds.size > 0) await end(each);
      }
    expect(ended.size + cancelled.size).toBe(jobs);
    expect([...(await waiting()), ...(await redis.lrange(ACTIVE, 0, -1))]).toEqual([]);
  });
  await fc.assert(property, { numRuns: 20 });
}, 60_000);
