import {
  createLogger,
  decodeEvent,
  type GenerationEvent,
  jobLockKey,
  openRedis,
  tokenLogEntryId,
  tokenLogKey,
} from "@rhone/common";
import type { Redis } from "ioredis";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { startValkey, type TestValkey } from "../../../../packages/common/src/testing/valkey.js";
import { createMetrics } from "../metrics.js";
import { NOTHING_RECORDED } from "./recorded.js";
import { TokenLog } from "./token-log.js";

const logger = createLogger({ service: "test", level: "silent" });

let valkey: TestValkey;
let redis: Redis;
let log: TokenLog;
let now = 0;
let tooLong: string[];

const event = (ordinal: number, token = ordinal): GenerationEvent => ({
  requestId: "a",
  ordinal,
  tokens: [token],
  text: String(token),
});
const ownerOf = (requestId: string) => {
  const lane = requestId.startsWith("line") ? ("batch" as const) : ("interactive" as const);
  return { requestId, replyTo: "gateway", keyId: "", model: "m", lane };
};
/** A token's log-probability with 20 alternatives. */
const score = { token: 7, logprob: -1, top: Array.from({ length: 20 }, (_, i) => [i, -2 - i] as const) };
const appendTo = (to: TokenLog, ...events: readonly GenerationEvent[]) =>
  to.append(events.map((one) => ({ owner: ownerOf(one.requestId), event: one })));
const append = (...events: readonly GenerationEvent[]) => appendTo(log, ...events);

const openLog = () =>
  new TokenLog({
    redis,
    metrics: createMetrics(),
    logger,
    mostPendingBytes: 4 * 320,
    finishedBytes: 500,
    openBytes: 20_000,
    tooLong: (requestId) => tooLong.push(requestId),
    now: () => now,
  });

beforeEach(async () => {
  tooLong = [];
  valkey = await startValkey();
  redis = await openRedis({ url: valkey.url, name: "test", waits: true, onError: () => {} });
  log = openLog();
});

afterEach(async () => {
  log.close();
  redis.disconnect();
  await valkey.stop();
});

describe("TokenLog", () => {
  it("tells whose logs are too long together, by what was written", async () => {
    const long = (requestId: string, ordinal: number) => ({ ...event(ordinal), text: "x".repeat(6000), requestId });
    for (const each of [long("a", 0), long("b", 0), long("b", 1)]) await append(each);
    expect(tooLong).toEqual([]);
    await append(long("a", 1));
    await expect.poll(() => tooLong).toHaveLength(1);
    await append({ ...long("b", 2), finish: { reason: "length" } }, long("a", 2));
    await append(long("c", 0));
    expect(tooLong).toHaveLength(1);
  });

  it("reads back what was written", async () => {
    expect(await log.read("a")).toEqual(NOTHING_RECORDED);
    await append(event(0, 7), event(1, 8));
    expect(await log.read("a")).toEqual({ ...NOTHING_RECORDED, tokens: [7, 8], ordinal: 2 });
    await append({ ...event(2, 9), promptLogprobs: [score, score], finish: { reason: "length" } });
    expect(await log.read("a")).toEqual({
      ...NOTHING_RECORDED,
      tokens: [7, 8, 9],
      scored: 2,
      ordinal: 3,
      finished: true,
    });
  });

  it("loses a request that another coordinator has continued, and announces nothing of it", async () => {
    const announced: string[] = [];
    const subscriber = redis.duplicate();
    await subscriber.subscribe("{rhone}:events:gateway");
    subscriber.on("message", (_channel, message) => announced.push(message));
    await append(event(0));
    const theirs = JSON.stringify(event(1, 99));
    await redis.xadd(tokenLogKey("a"), tokenLogEntryId(1), "event", theirs);
    expect(await append(event(1))).toEqual(["a"]);
    await expect.poll(() => announced.length).toBe(1);
    subscriber.disconnect();
  });

  it.each([
    ["mine", "mine", []],
    ["mine", null, []],
    [null, null, []],
    ["mine", "theirs", ["a"]],
    [null, "theirs", ["a"]],
  ])("writes of a job taken with the token %j, whose lock has %j: %j are lost", async (token, lock, lost) => {
    if (token !== null) log.hold("a", token);
    if (lock !== null) await redis.set(jobLockKey(ownerOf("a")), lock);
    expect(await append(event(0))).toEqual(lost);
    expect(await redis.xlen(tokenLogKey("a"))).toBe(1 - lost.length);
  });

  it("writes with the token of the last taking until the job is left", async () => {
    await redis.set(jobLockKey(ownerOf("a")), "second");
    for (const token of ["first", "second"]) log.hold("a", token);
    log.leave("a", "first");
    expect(await append(event(0))).toEqual([]);
    log.leave("a", "second");
    expect(await append(event(1))).toEqual(["a"]);
  });

  it("writes nothing behind an event that was refused: it would leave a gap that nobody fills", async () => {
    await append(event(0));
    await redis.xadd(tokenLogKey("a"), tokenLogEntryId(1), "event", JSON.stringify(event(1, 99)));
    const lost = [append(event(1)), append(event(2), { ...event(0), requestId: "b" }), append(event(3))];
    expect(await Promise.all(lost)).toEqual([["a"], ["a"], ["a"]]);
    expect(await log.read("a")).toMatchObject({ tokens: [0, 99], ordinal: 2 });
    expect(await log.read("b")).toMatchObject({ tokens: [0] });
    expect(log.full).toBe(false);
  });

  it("has what its holders wrote, whole, when each goes on writing after it has lost the job", async () => {
    const logs = [log, openLog()];
    let zombie: { readonly writer: TokenLog; next: number; readonly tag: number } | undefined;
    const owners: number[] = [];
    for (let tag = 1; tag <= 30; tag++) {
      const writer = logs[tag % 2] ?? log;
      await redis.set(jobLockKey(ownerOf("a")), `${tag}`);
      writer.hold("a", `${tag}`);
      const { ordinal, isWhole } = await writer.read("a");
      expect(isWhole).toBe(true);
      expect(ordinal).toBe(owners.length);
      const written: Promise<unknown>[] = [];
      let next = ordinal;
      for (let turn = 0; turn < 6; turn++) {
        if (zombie !== undefined) written.push(appendTo(zombie.writer, event(zombie.next++, zombie.tag)));
        owners.push(tag);
        written.push(appendTo(writer, event(next++, tag)));
      }
      await Promise.all(written);
      zombie = { writer, next, tag };
    }
    expect(await log.read("a")).toMatchObject({ tokens: owners, isWhole: true });
    logs[1]?.close();
  });

  it("forgets a log: its request begins again", async () => {
    await append(event(0));
    await log.forget("a");
    expect(await log.read("a")).toEqual(NOTHING_RECORDED);
  });

  it("keeps events while Redis is away and writes them in order when it is back", async () => {
    await append(event(0));
    await valkey.stop();
    const written = [append(event(1)), append(event(2), event(3))];
    valkey = await startValkey(Number(new URL(valkey.url).port));
    expect(await Promise.all(written)).toEqual([[], []]);
    const entries = await redis.xrange(tokenLogKey("a"), "-", "+");
    expect(entries.map(([id]) => id)).toEqual(["2-0", "3-0"]);
    expect(await log.read("a")).toMatchObject({ tokens: [1, 2, 3], ordinal: 4, isWhole: false });
  });

  it("tells its own entry, whose answer was lost, from another's", async () => {
    await redis.xadd(tokenLogKey("a"), tokenLogEntryId(0), "event", JSON.stringify(event(0)));
    vi.spyOn(redis, "eval").mockRejectedValueOnce(new Error("connection lost"));
    expect(await append(event(0))).toEqual([]);
  });

  it("takes no offence when the client itself sends a write again on a new connection", async () => {
    const announced: string[] = [];
    const subscriber = redis.duplicate();
    await subscriber.subscribe("{rhone}:events:gateway");
    subscriber.on("message", (_channel, message) => announced.push(message));
    const evaluate = redis.eval.bind(redis);
    vi.spyOn(redis, "eval").mockImplementationOnce(async (...args) => {
      await evaluate(...args);
      redis.emit("close");
      return evaluate(...args);
    });
    expect(await append(event(0))).toEqual([]);
    await expect.poll(() => announced.length).toBe(2);
    expect(announced[1]).toBe(JSON.stringify([event(0)]));
    subscriber.disconnect();
  });

  it("joins what waited while a write was under way", async () => {
    const written = [append(event(0)), append(event(1)), append(event(2))];
    await Promise.all(written);
    const entries = await redis.xrange(tokenLogKey("a"), "-", "+");
    expect(entries.map(([id]) => id)).toEqual(["1-0", "2-0"]);
    expect(await log.read("a")).toEqual({ ...NOTHING_RECORDED, tokens: [0, 1, 2], ordinal: 3 });
    expect(await append(event(3))).toEqual([]);
  });

  it("reads a log of many parts", async () => {
    for (let ordinal = 0; ordinal < 150; ordinal++) await append(event(ordinal));
    const tokens = Array.from({ length: 150 }, (_, i) => i);
    expect(await log.read("a")).toEqual({ ...NOTHING_RECORDED, tokens, ordinal: 150 });
  });

  it("writes a backlog of log-probabilities in small pieces", async () => {
    const rows = { promptLogprobs: Array.from({ length: 64 }, () => score) };
    const written = Array.from({ length: 64 }, (_, ordinal) => append({ ...event(ordinal), ...rows }));
    await Promise.all(written);
    const entries = await redis.xrange(tokenLogKey("a"), "-", "+");
    // One step of 64 rows with 20 alternatives each takes 15 KB.
    for (const [, fields] of entries) expect(fields[1]?.length).toBeLessThan(64 * 2 ** 10);
    expect(await log.read("a")).toMatchObject({ scored: 64 * 64, ordinal: 64 });
  });

  it("drops finished logs above its bound: readers hear it, lines of batches are computed again", async () => {
    const end = { text: "x".repeat(300), finish: { reason: "length" as const } };
    for (const requestId of ["a", "line", "b"]) await append({ ...event(0), ...end, requestId });
    now += 60_000;
    await append({ ...event(0), requestId: "c" });
    await expect.poll(() => redis.exists(tokenLogKey("line"))).toBe(0);
    const [[, fields] = ["", []]] = await redis.xrange(tokenLogKey("a"), "-", "+");
    expect(decodeEvent(fields[1] ?? "").finish).toMatchObject({ reason: "error", code: "NOT_FOUND" });
    expect(await log.read("b")).toMatchObject({ tokens: [0], finished: true });
  });

  it("counts a log whose last answer was lost among the finished", async () => {
    const end = { ...event(0), text: "x".repeat(600), finish: { reason: "length" as const } };
    const evaluate = redis.eval.bind(redis);
    vi.spyOn(redis, "eval").mockImplementationOnce(async (...args) => {
      await evaluate(...args);
      throw new Error("connection lost");
    });
    expect(await append({ ...end, requestId: "line" })).toEqual([]);
    now += 60_000;
    await append(event(0));
    await expect.poll(() => redis.exists(tokenLogKey("line"))).toBe(0);
  });

  it("is full sooner when events have log-probabilities", async () => {
    const first = append({ ...event(0), promptLogprobs: [score] });
    expect(log.full).toBe(true);
    await first;
    expect(log.full).toBe(false);
  });

  it("is full when too many events wait, and has room again when they are written", async () => {
    const first = append(event(0), event(1));
    expect(log.full).toBe(false);
    const second = append(event(2), event(3));
    expect(log.full).toBe(true);
    await Promise.all([first, second]);
    expect(log.full).toBe(false);
  });
});
