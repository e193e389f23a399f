import { setMaxListeners } from "node:events";
import { encodeEvent, type GenerationJob, queueName, RhoneError } from "@rhone/common";
import { afterEach, describe, expect, it, vi } from "vitest";
import { collect, event, finish, testJob } from "../testing/events.js";
import { queues, unready } from "../testing/fake-bullmq.js";
import { openClient } from "../testing/fake-queue-redis.js";
import { mostInATurn } from "../testing/most-in-a-turn.js";

vi.mock("bullmq", () => import("../testing/fake-bullmq.js"));
afterEach(() => void vi.useRealTimers());

const never = new AbortController().signal;
const job = testJob();
const last = finish({ ordinal: 1 });

it("opens a queue again that could not look at Redis, and would fail for good", async () => {
  const { client, announce, interactive } = await openClient();
  const cause = new Error("Command timed out");
  unready.add(cause);
  await expect(client.generate(job, never).next()).rejects.toMatchObject({ code: "REDIS_UNAVAILABLE", cause });
  unready.clear();
  const events = collect(client.generate(job, never));
  await expect.poll(() => interactive.jobs).toHaveLength(1);
  announce(event(), last);
  expect(await events).toHaveLength(2);
});

it("a sequence has ended when its token log's last event says so", async () => {
  const { client, log } = await openClient();
  expect(await client.hasEnded(job)).toBe(false);
  log.push(encodeEvent(event()));
  expect(await client.hasEnded(job)).toBe(false);
  log.push(encodeEvent(last));
  expect(await client.hasEnded(job)).toBe(true);
  log.push("another version's");
  await expect(client.hasEnded(job)).rejects.toMatchObject({ code: "RECORD_UNREADABLE" });
});

it("the jobs of a request are absent, open, cut or ended", async () => {
  const { client, log, redis } = await openClient();
  const jobs = Array.from({ length: 100 }, (_, choice) => testJob({ requestId: `r-${choice}` }));
  expect(await client.stateOf(jobs)).toBe("absent");
  redis.entries.add("r-99"); // the others are queued later, or have ended
  expect(await client.stateOf(jobs)).toBe("open");
  log.push(encodeEvent(event()));
  expect(await client.stateOf(jobs)).toBe("open");
  redis.entries.clear();
  expect(await client.stateOf(jobs)).toBe("cut");
  log.push(encodeEvent(last));
  expect(await client.stateOf(jobs)).toBe("ended");
});

describe("a generation", () => {
  it("goes onto the queue of its lane, and comes back over the gateway's channel", async () => {
    const { client, announce, interactive, commands } = await openClient();
    const events = client.generate(job, never);
    const first = events.next();
    await expect.poll(() => interactive.jobs).toEqual([job]);
    announce(event());
    expect((await first).value).toEqual(event());
    announce(last);
    expect(await collect(events)).toEqual([last]);
    expect(commands).toEqual([]);
  });

  it("of the batch lane waits behind no interactive one", async () => {
    const { client, announce, interactive } = await openClient();
    const events = collect(client.generate({ ...job, lane: "batch" }, never));
    await expect.poll(() => queues.get(queueName({ ...job, lane: "batch" }))?.jobs).toHaveLength(1);
    announce(event(), last);
    expect(await events).toHaveLength(2);
    expect(interactive.jobs).toEqual([]);
  });

  it("goes onto the queue of its model", async () => {
    const { client, announce, interactive } = await openClient();
    const other = { ...job, model: "org/other" };
    const events = collect(client.generate(other, never));
    await expect.poll(() => queues.get("generate/org%2Fother")?.jobs).toEqual([other]);
    announce(event(), last);
    await events;
    expect(interactive.jobs).toEqual([]);
  });

  it("is refused when too many wait", async () => {
    const { client, redis, interactive } = await openClient();
    redis.isFull = true;
    const refusal = { code: "QUEUE_FULL", message: expect.stringMatching(/^10 choices wait .* 10 .*--max-queued/) };
    await expect(client.generate(job, never).next()).rejects.toMatchObject(refusal);
    expect(interactive.jobs).toEqual([]);
  });

  it("is refused while others hold too many bytes, and taken once they have ended", async () => {
    const { client, announce, interactive } = await openClient();
    const large = (requestId: string) => ({ ...job, requestId, stop: ["s".repeat(60_000)] });
    const first = collect(client.generate(large("r-0"), never));
    await expect.poll(() => interactive.jobs).toHaveLength(1);
    await expect(client.generate(large("r-1"), never).next()).rejects.toMatchObject({ code: "QUEUE_FULL" });
    announce(event(), last);
    await first;
    void client.generate(large("r-2"), never).next();
    await expect.poll(() => interactive.jobs).toMatchObject([{ requestId: "r-0" }, { requestId: "r-2" }]);
  });

  it("of 2,048 choices takes its turns 64 at a time", async () => {
    const { client, redis, interactive } = await openClient();
    let [asking, most] = [0, 0];
    redis.eval = async () => {
      most = Math.max(most, ++asking);
      await new Promise(setImmediate);
      asking--;
      return [1, 0, 0];
    };
    const leaving = new AbortController();
    setMaxListeners(0, leaving.signal);
    const read = (at: number) => client.generate({ ...job, requestId: `r-${at}` }, leaving.signal).next();
    const reading = Promise.allSettled(Array.from({ length: 2048 }, (_, at) => read(at)));
    await expect.poll(() => interactive.jobs).toHaveLength(2048);
    expect(most).toBe(64);
    redis.eval = async () => [];
    leaving.abort(new RhoneError("CANCELLED", "left"));
    await reading;
  });

  it("of another key waits for few of the 2,048 choices that came before", async () => {
    const { client, interactive } = await openClient();
    const added = vi.spyOn(interactive, "add").mockImplementation(() => new Promise(setImmediate));
    const leaving = new AbortController();
    setMaxListeners(0, leaving.signal);
    const read = (requestId: string, keyId: string) =>
      client.generate({ ...job, requestId, keyId }, leaving.signal).next();
    const reading = Array.from({ length: 2048 }, (_, at) => read(`a-${at}`, "a"));
    await new Promise(setImmediate);
    reading.push(read("b-0", "b"));
    const ids = () => added.mock.calls.map(([, { requestId }]) => requestId);
    await expect.poll(() => ids().indexOf("b-0")).toBeGreaterThan(0);
    expect(ids().indexOf("b-0")).toBeLessThan(256);
    leaving.abort(new RhoneError("CANCELLED", "left"));
    await Promise.allSettled(reading);
  });

  it("that is aborted before its turn is not written", async () => {
    const { client, interactive } = await openClient();
    const abort = new AbortController();
    const events = client.generate(job, abort.signal).next();
    abort.abort(new RhoneError("CANCELLED", "gone"));
    await expect(events).rejects.toMatchObject({ code: "CANCELLED" });
    expect(interactive.jobs).toEqual([]);
  });

  it("waits for the queue", async () => {
    const { client, interactive } = await openClient();
    interactive.failure = new Error("connection refused");
    await expect(client.generate(job, never).next()).rejects.toMatchObject({ code: "REDIS_UNAVAILABLE" });
  });

  it("is submitted again every 30 s, in case Redis lost it", async () => {
    vi.useFakeTimers();
    const { client, announce, interactive } = await openClient();
    const events = collect(client.generate(job, never));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(interactive.jobs).toHaveLength(3);
    expect(interactive.priorities).toEqual([1, 1, 1]); // its turn stays
    announce(event(), last);
    await events;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(interactive.jobs).toHaveLength(3); // not once it has ended
  });

  it.each([
    [{ reason: "error", code: "KV_FULL", message: "No page is free." }, "KV_FULL"],
    [{ reason: "cancelled" }, "CANCELLED"],
  ] as const)("that ends with %j throws it", async (reason, code) => {
    const { client, announce, interactive } = await openClient();
    const events = collect(client.generate(job, never));
    await expect.poll(() => interactive.jobs).toHaveLength(1);
    announce(finish({ finish: reason }));
    await expect(events).rejects.toMatchObject({ code });
  });
});

it("reads what Redis announces at once in many turns, in its order", async () => {
  const { client, announce, interactive } = await openClient();
  const events = collect(client.generate(job, never));
  await expect.poll(() => interactive.jobs).toHaveLength(1);
  const parse = JSON.parse;
  const most = await mostInATurn(async (work) => {
    vi.spyOn(JSON, "parse").mockImplementation((text) => {
      work();
      return parse(text);
    });
    for (let ordinal = 0; ordinal < 100; ordinal++) announce(event({ ordinal }));
    announce(finish({ ordinal: 100 }));
    await events;
  });
  vi.mocked(JSON.parse).mockRestore();
  expect((await events).map(({ ordinal }) => ordinal)).toEqual(Array.from({ length: 101 }, (_, i) => i));
  expect(most).toBeLessThanOrEqual(12);
});

describe("a reader that stops", () => {
  const reading = async (
    settings?: { readonly detached: () => boolean },
    signal = never,
    lane: GenerationJob["lane"] = "interactive",
  ) => {
    const opened = await openClient();
    const events = opened.client.generate({ ...job, lane }, signal, settings);
    const first = events.next();
    await expect.poll(() => [...queues.values()].flatMap(({ jobs }) => jobs)).toHaveLength(1);
    opened.announce(event());
    await first;
    return { ...opened, events };
  };

  it("cancels its generation, wherever it is", async () => {
    const { events, commands, interactive } = await reading();
    await events.return();
    expect(commands).toEqual(["cancel r-0"]);
    expect(interactive.removed).toEqual(["r-0"]);
  });

  it("leaves it running where it is detached", async () => {
    const { events, commands } = await reading({ detached: () => true });
    await events.return();
    expect(commands).toEqual([]);
  });

  it.each([
    ["SHUTTING_DOWN", "batch", 0],
    ["SHUTTING_DOWN", "interactive", 1],
    ["CANCELLED", "batch", 1],
  ] as const)("because of %s in the lane %s sends %d commands: another gateway goes on, or none", async (...given) => {
    const [code, lane, count] = given;
    const abort = new AbortController();
    const { events, commands } = await reading(undefined, abort.signal, lane);
    abort.abort(new RhoneError(code, "stop"));
    await expect(events.next()).rejects.toMatchObject({ code });
    expect(commands).toHaveLength(count);
  });

  it("is told that the gateway ends while Redis is away", async () => {
    const abort = new AbortController();
    const { events, redis } = await reading(undefined, abort.signal);
    redis.eval = () => new Promise(() => {});
    abort.abort(new RhoneError("SHUTTING_DOWN", "stop"));
    await expect(events.next()).rejects.toMatchObject({ code: "SHUTTING_DOWN" });
  });
});
