import { setMaxListeners } from "node:events";
import { eventsChannel, RhoneError, TOKEN_LOG_FIELD } from "@rhone/common";
import { afterEach, describe, expect, it, vi } from "vitest";
import { collect, event, finish, testJob } from "../testing/events.js";
import { openClient } from "../testing/fake-queue-redis.js";

vi.mock("bullmq", () => import("../testing/fake-bullmq.js"));
afterEach(() => void vi.useRealTimers());

const never = new AbortController().signal;
const job = testJob();
const last = finish({ ordinal: 1 });
const write = (log: string[], ...events: unknown[]) => log.push(...events.map((each) => JSON.stringify(each)));

describe("the token log", () => {
  it("fills what announcements lost, after a reconnect", async () => {
    const { client, subscriber, log, announce, interactive } = await openClient();
    const events = collect(client.generate(job, never));
    await expect.poll(() => interactive.jobs).toHaveLength(1);
    announce(event());
    write(log, event(), last);
    subscriber.emit("ready");
    expect(await events).toEqual([event(), last]);
  });

  it("fills what an unreadable message left out", async () => {
    const { client, subscriber, log, interactive } = await openClient();
    const events = collect(client.generate(job, never));
    await expect.poll(() => interactive.jobs).toHaveLength(1);
    write(log, event(), last);
    subscriber.emit("message", eventsChannel("g1"), "{");
    expect(await events).toHaveLength(2);
  });

  it("is all that a follower reads; leaving cancels nothing", async () => {
    const { client, log, commands, interactive } = await openClient();
    write(log, event(), last);
    expect(await collect(client.follow(job, never))).toEqual([event(), last]);
    const events = client.follow(job, never);
    await events.next();
    await events.return();
    expect([interactive.jobs, commands]).toEqual([[], ["xrange", "xrange"]]);
  });

  it("is not read for followers that have left while they waited for their turn", async () => {
    const { client, redis, commands } = await openClient();
    const leaving = new AbortController();
    setMaxListeners(0, leaving.signal);
    redis.xrange = async () => {
      commands.push("xrange");
      leaving.abort(new RhoneError("CANCELLED", "left"));
      return [];
    };
    const followers = Array.from({ length: 20 }, () => collect(client.follow(job, leaving.signal)));
    for (const each of await Promise.allSettled(followers)) expect(each.status).toBe("rejected");
    expect(commands.length).toBeLessThanOrEqual(2);
  });

  it("is read for keys in turns", async () => {
    const { client, redis } = await openClient();
    const read: string[] = [];
    redis.xrange = async (key?: string) => {
      read.push(String(key));
      return [["1-0", [TOKEN_LOG_FIELD, JSON.stringify(last)]]];
    };
    const jobs = ["a1", "a2", "a3", "a4", "a5", "b1"].map((requestId) => ({
      ...job,
      requestId,
      keyId: requestId[0] ?? "",
    }));
    const leaving = new AbortController();
    for (const each of jobs)
      client
        .follow(each, leaving.signal)
        .next()
        .catch(() => {});
    await expect.poll(() => read).toHaveLength(6);
    leaving.abort();
    expect(read.map((key) => key.slice(-2))).toEqual(["a1", "a2", "a3", "b1", "a4", "a5"]);
  });

  it("of another version is an error by name, not silence until the deadline", async () => {
    const { client, log } = await openClient();
    write(log, { ...event(), version: 2 });
    const refusal = { code: "RECORD_UNREADABLE", message: expect.stringContaining("The token log of r-0") };
    await expect(collect(client.follow(job, never))).rejects.toMatchObject(refusal);
  });

  it("that is out of reach is read again", async () => {
    vi.useFakeTimers();
    const { client, redis, log, commands } = await openClient();
    redis.failure = new Error("connection refused");
    let isOver = false;
    const events = collect(client.follow(job, never)).finally(() => {
      isOver = true;
    });
    await vi.advanceTimersByTimeAsync(100);
    redis.failure = undefined;
    write(log, event(), last);
    // Reading waits for turns of the event loop, which take real time.
    for (let second = 0; second < 60 && !isOver; second++) await vi.advanceTimersByTimeAsync(1000);
    expect(await events).toHaveLength(2);
    expect(commands.length).toBeGreaterThan(1);
  });
});
