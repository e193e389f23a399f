import { EventEmitter } from "node:events";
import {
  CANCEL_CHANNEL,
  createLogger,
  encodeEvents,
  eventsChannel,
  type GenerationEvent,
  RhoneError,
  TOKEN_LOG_FIELD,
} from "@rhone/common";
import { afterEach, describe, expect, it, vi } from "vitest";
import { collect, event, finish, testJob } from "../testing/events.js";
import { RedisGenerationClient, type RedisGenerationClientOptions } from "./redis-generation-client.js";

interface FakeQueue {
  readonly jobs: { readonly requestId: string }[];
  readonly priorities: number[];
  readonly removed: string[];
  failure: Error | undefined;
}

const { queues } = vi.hoisted(() => ({ queues: new Map<string, FakeQueue>() }));

vi.mock("bullmq", () => ({
  Queue: class {
    readonly #queue: FakeQueue = { jobs: [], priorities: [], removed: [], failure: undefined };
    constructor(readonly name: string) {
      queues.set(name, this.#queue);
    }
    on() {
      return this;
    }
    toKey(type: string) {
      return `rhone:${this.name}:${type}`;
    }
    async add(_name: string, job: { readonly requestId: string }, { priority }: { readonly priority: number }) {
      if (this.#queue.failure !== undefined) throw this.#queue.failure;
      this.#queue.jobs.push(job);
      this.#queue.priorities.push(priority);
    }
    async remove(id: string) {
      this.#queue.removed.push(id);
    }
    async close() {}
  },
}));

afterEach(() => void vi.useRealTimers());

/** A client whose Redis is this object; its token log is `log`. */
async function open() {
  const commands: string[] = [];
  const log: string[] = [];
  const redis = {
    failure: undefined as Error | undefined,
    async xrange() {
      commands.push("xrange");
      if (this.failure !== undefined) throw this.failure;
      return log.map((entry, index) => [`${index + 1}-0`, [TOKEN_LOG_FIELD, entry]]);
    },
    turns: 0,
    isFull: false,
    async eval(_script: string, keys: number, ...rest: unknown[]) {
      if (rest.includes(CANCEL_CHANNEL)) {
        commands.push(`cancel ${rest.slice(keys + 2).join(" ")}`);
        return [1];
      }
      return this.isFull ? [0, 10, 0] : [++this.turns, 0, 0];
    },
    xlen: async () => log.length,
  };
  const subscriber = Object.assign(new EventEmitter(), { subscribe: async () => 1, unsubscribe: async () => 1 });
  const logger = createLogger({ service: "gateway", level: "silent" });
  const options = { redis, subscriber, gatewayId: "g1", maxQueued: 10, queuedBytes: 100_000, logger };
  const client = await RedisGenerationClient.open(options as unknown as RedisGenerationClientOptions);
  const announce = (...events: GenerationEvent[]) =>
    subscriber.emit("message", eventsChannel("g1"), encodeEvents(events));
  const interactive = queues.get("generate") as FakeQueue;
  return { client, redis, subscriber, commands, log, announce, interactive };
}

const never = new AbortController().signal;
const job = testJob();
const last = finish({ ordinal: 1 });
const write = (log: string[], ...events: unknown[]) => log.push(...events.map((each) => JSON.stringify(each)));

describe("a generation", () => {
  it("goes onto the queue of its lane, and comes back over the gateway's channel", async () => {
    const { client, announce, interactive, commands } = await open();
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
    const { client, announce, interactive } = await open();
    const events = collect(client.generate({ ...job, lane: "batch" }, never));
    await expect.poll(() => queues.get("generate-batch")?.jobs).toHaveLength(1);
    announce(event(), last);
    expect(await events).toHaveLength(2);
    expect(interactive.jobs).toEqual([]);
  });

  it("is refused when too many wait", async () => {
    const { client, redis, interactive } = await open();
    redis.isFull = true;
    const refusal = { code: "QUEUE_FULL", message: expect.stringMatching(/^10 choices wait .* 10 .*--max-queued/) };
    await expect(client.generate(job, never).next()).rejects.toMatchObject(refusal);
    expect(interactive.jobs).toEqual([]);
  });

  it("is refused while others hold too many bytes, and taken once they have ended", async () => {
    const { client, announce, interactive } = await open();
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
    const { client, redis, interactive } = await open();
    let [asking, most] = [0, 0];
    redis.eval = async () => {
      most = Math.max(most, ++asking);
      await new Promise(setImmediate);
      asking--;
      return [1, 0, 0];
    };
    const leaving = new AbortController();
    const read = (at: number) => client.generate({ ...job, requestId: `r-${at}` }, leaving.signal).next();
    const reading = Promise.allSettled(Array.from({ length: 2048 }, (_, at) => read(at)));
    await expect.poll(() => interactive.jobs).toHaveLength(2048);
    expect(most).toBe(64);
    redis.eval = async () => [];
    leaving.abort(new RhoneError("CANCELLED", "left"));
    await reading;
  });

  it("that is aborted before its turn is not written", async () => {
    const { client, interactive } = await open();
    const abort = new AbortController();
    const events = client.generate(job, abort.signal).next();
    abort.abort(new RhoneError("CANCELLED", "gone"));
    await expect(events).rejects.toMatchObject({ code: "CANCELLED" });
    expect(interactive.jobs).toEqual([]);
  });

  it("waits for the queue", async () => {
    const { client, interactive } = await open();
    interactive.failure = new Error("connection refused");
    await expect(client.generate(job, never).next()).rejects.toMatchObject({ code: "REDIS_UNAVAILABLE" });
  });

  it("is submitted again every 30 s, in case Redis lost it", async () => {
    vi.useFakeTimers();
    const { client, announce, interactive } = await open();
    const events = collect(client.generate(job, never));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(interactive.jobs).toHaveLength(3);
    expect(interactive.priorities).toEqual([1, 1, 1]); // its turn stays
    announce(event(), last);
    await events;
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each([
    [{ reason: "error", code: "KV_FULL", message: "No page is free." }, "KV_FULL"],
    [{ reason: "cancelled" }, "CANCELLED"],
  ] as const)("that ends with %j throws it", async (reason, code) => {
    const { client, announce, interactive } = await open();
    const events = collect(client.generate(job, never));
    await expect.poll(() => interactive.jobs).toHaveLength(1);
    announce(finish({ finish: reason }));
    await expect(events).rejects.toMatchObject({ code });
  });
});

describe("a reader that stops", () => {
  const reading = async (settings?: { readonly detached: boolean }, signal = never) => {
    const opened = await open();
    const events = opened.client.generate(job, signal, settings);
    const first = events.next();
    await expect.poll(() => opened.interactive.jobs).toHaveLength(1);
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
    const { events, commands } = await reading({ detached: true });
    await events.return();
    expect(commands).toEqual([]);
  });

  it.each([
    ["SHUTTING_DOWN", 0],
    ["CANCELLED", 1],
  ] as const)("because of %s sends %d commands: another gateway goes on, or none", async (code, count) => {
    const abort = new AbortController();
    const { events, commands } = await reading(undefined, abort.signal);
    abort.abort(new RhoneError(code, "stop"));
    await expect(events.next()).rejects.toMatchObject({ code });
    expect(commands).toHaveLength(count);
  });
});

describe("the token log", () => {
  it("fills what announcements lost, after a reconnect", async () => {
    const { client, subscriber, log, announce, interactive } = await open();
    const events = collect(client.generate(job, never));
    await expect.poll(() => interactive.jobs).toHaveLength(1);
    announce(event());
    write(log, event(), last);
    subscriber.emit("ready");
    expect(await events).toEqual([event(), last]);
  });

  it("fills what an unreadable message left out", async () => {
    const { client, subscriber, log, interactive } = await open();
    const events = collect(client.generate(job, never));
    await expect.poll(() => interactive.jobs).toHaveLength(1);
    write(log, event(), last);
    subscriber.emit("message", eventsChannel("g1"), "{");
    expect(await events).toHaveLength(2);
  });

  it("is all that a follower reads; leaving cancels nothing", async () => {
    const { client, log, commands, interactive } = await open();
    write(log, event(), last);
    expect(await collect(client.follow(job, never))).toEqual([event(), last]);
    const events = client.follow(job, never);
    await events.next();
    await events.return();
    expect([interactive.jobs, commands]).toEqual([[], ["xrange", "xrange"]]);
  });

  it("is not read for followers that have left while they waited for their turn", async () => {
    const { client, redis, commands } = await open();
    const leaving = new AbortController();
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
    const { client, redis } = await open();
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
    const { client, log } = await open();
    write(log, { ...event(), version: 2 });
    const refusal = { code: "RECORD_UNREADABLE", message: expect.stringContaining("The token log of r-0") };
    await expect(collect(client.follow(job, never))).rejects.toMatchObject(refusal);
  });

  it("that is out of reach is read again", async () => {
    vi.useFakeTimers();
    const { client, redis, log, commands } = await open();
    redis.failure = new Error("connection refused");
    const events = collect(client.follow(job, never));
    await vi.advanceTimersByTimeAsync(100);
    redis.failure = undefined;
    write(log, event(), last);
    await vi.advanceTimersByTimeAsync(4000);
    expect(await events).toHaveLength(2);
    expect(commands.length).toBeGreaterThan(1);
  });
});
