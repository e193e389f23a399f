import type { GenerationEvent } from "@rhone/common";
import { RhoneError } from "@rhone/common";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { collect, event, finish, testJob } from "../testing/events.js";
import { FakeCluster } from "../testing/fake-cluster.js";
import { type Events, following, generating, mergeEvents, type RequestRun, runRequest } from "./run-request.js";

/** Yields events, then waits until the signal aborts and throws its reason, as a generation that never ends. */
async function* stalling(signal: AbortSignal, events: readonly GenerationEvent[] = []): Events {
  yield* events;
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  signal.throwIfAborted();
}

async function* playing(events: readonly GenerationEvent[]): Events {
  yield* events;
}

/** A run of these choices that writes down what an observer is told. */
function observed(open: RequestRun["open"], changes: Partial<RequestRun> = {}) {
  const told: string[] = [];
  const observer = {
    began: () => told.push("began"),
    took: ({ text }: GenerationEvent) => told.push(`took ${text}`),
    ended: (outcome: string) => told.push(`ended ${outcome}`),
  };
  const lateness = () => new RhoneError("DEADLINE_EXCEEDED", "late");
  const events = runRequest({ open, limitMs: 60_000, lateness, observers: [observer], ...changes });
  return { events, told };
}

describe("a run", () => {
  it("lets each of many choices listen for its end", async () => {
    const warned = vi.spyOn(process, "emitWarning");
    onTestFinished(() => warned.mockRestore());
    const open = (signal: AbortSignal) =>
      Array.from({ length: 16 }, () => {
        signal.addEventListener("abort", () => {});
        return playing([finish()]);
      });
    await collect(observed(open).events);
    expect(warned).not.toHaveBeenCalled();
  });

  it("yields every event of every choice, and ends ok", async () => {
    const { events, told } = observed(() => [playing([event(), finish()]), playing([event({ text: "b" }), finish()])]);
    const seen = await collect(events);
    expect(seen.map(({ choice }) => choice).toSorted()).toEqual([0, 0, 1, 1]);
    expect(told[0]).toBe("began");
    expect(told.slice(1, -1).toSorted()).toEqual(["took ", "took ", "took a", "took b"]);
    expect(told.at(-1)).toBe("ended ok");
  });

  it("begins nothing before it is read", () => {
    const { told } = observed(() => [playing([finish()])]);
    expect(told).toEqual([]);
  });

  it.each([
    ["before its first event", []],
    ["in mid-stream", [event()]],
  ])("that fails %s passes the failure on, counts its code, and aborts the other choices", async (_, before) => {
    const signals: AbortSignal[] = [];
    async function* failing(): Events {
      yield* before;
      throw new RhoneError("WORKER_LOST", "A worker is gone.");
    }
    const { events, told } = observed((signal) => {
      signals.push(signal);
      return [stalling(signal), failing()];
    });
    await expect(collect(events)).rejects.toMatchObject({ code: "WORKER_LOST" });
    expect(told.at(-1)).toBe("ended worker_lost");
    expect(signals[0]?.aborted).toBe(true);
  });

  it("calls an error that nobody named internal", async () => {
    async function* failing(): Events {
      yield* [];
      throw new TypeError("x is not a function");
    }
    const { events, told } = observed(() => [failing()]);
    await expect(collect(events)).rejects.toThrow(TypeError);
    expect(told).toEqual(["began", "ended internal"]);
  });

  it("whose reader stops is cancelled, and its choices are aborted", async () => {
    const signals: AbortSignal[] = [];
    const { events, told } = observed((signal) => {
      signals.push(signal);
      return [stalling(signal, [event()])];
    });
    await events.next();
    await events.return();
    expect(told).toEqual(["began", "took a", "ended cancelled"]);
    expect(signals[0]?.reason).toMatchObject({ code: "CANCELLED" });
  });

  it("tells every observer of its end exactly once", async () => {
    const ends: string[] = [];
    const observers = ["a", "b"].map((name) => ({ ended: (outcome: string) => void ends.push(name + outcome) }));
    const { events } = observed(() => [playing([finish()])], { observers });
    await collect(events);
    await events.return();
    expect(ends).toEqual(["aok", "bok"]);
  });
});

describe("a caller that leaves", () => {
  it("ends the run with the reason", async () => {
    const leaving = new AbortController();
    const { events, told } = observed((signal) => [stalling(signal, [event()])], { leaving: leaving.signal });
    await events.next();
    leaving.abort(new RhoneError("CANCELLED", "The client closed the connection."));
    await expect(events.next()).rejects.toMatchObject({
      code: "CANCELLED",
      message: expect.stringMatching(/closed the connection/),
    });
    expect(told.at(-1)).toBe("ended cancelled");
  });

  it("before the run begins ends it at once", async () => {
    const leaving = AbortSignal.abort(new RhoneError("SHUTTING_DOWN", "The gateway is stopping."));
    const { events, told } = observed((signal) => [stalling(signal)], { leaving });
    await expect(events.next()).rejects.toMatchObject({ code: "SHUTTING_DOWN" });
    expect(told.at(-1)).toBe("ended shutting_down");
  });

  it("after the run changes nothing, and nobody listens any more", async () => {
    const leaving = new AbortController();
    const removed = vi.spyOn(leaving.signal, "removeEventListener");
    const { events, told } = observed(() => [playing([finish()])], { leaving: leaving.signal });
    await collect(events);
    leaving.abort();
    expect(removed).toHaveBeenCalledOnce();
    expect(told).toEqual(["began", "took ", "ended ok"]);
  });
});

describe("the time limit", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("ends a run with its own error", async () => {
    const { events, told } = observed((signal) => [stalling(signal, [event()])], { limitMs: 5000 });
    await events.next();
    const next = expect(events.next()).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
    await vi.advanceTimersByTimeAsync(5000);
    await next;
    expect(told.at(-1)).toBe("ended deadline_exceeded");
  });

  it("is not reached by a run that ends in time", async () => {
    const { events } = observed(() => [playing([finish()])], { limitMs: 5000 });
    await collect(events);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("sources", () => {
  it("generate the jobs, attached or detached, until the latest deadline", async () => {
    const cluster = new FakeCluster();
    const generate = vi.spyOn(cluster, "generate");
    const jobs = [testJob(), testJob({ requestId: "r-1", deadlineAtMs: 3500 })];
    const source = generating(cluster, { jobs, atOnce: 1, detached: true });
    expect([source.limitMs, source.atOnce]).toEqual([10_000, 1]);
    expect(source.lateness()).toMatchObject({
      code: "DEADLINE_EXCEEDED",
      message: expect.stringMatching(/longer than 10 s/),
    });
    const { signal } = new AbortController();
    await collect(mergeEvents(source.open(signal)));
    expect(generate.mock.calls).toEqual(jobs.map((job) => [job, signal, { detached: true }]));
  });

  it.each([
    ["in 20 s", 20_000, 25_000],
    ["20 s ago", -20_000, 5000],
  ])("follow jobs whose deadline is %s until their logs must have ended", (_, fromNow, limitMs) => {
    vi.useFakeTimers({ now: 1_000_000 });
    const jobs = [{ requestId: "r-0", replyTo: "g2", lane: "interactive" as const }];
    const record = { version: 1 as const, jobs, deadlineAtMs: 1_000_000 + fromNow, owner: "" };
    const source = following(new FakeCluster(), record as unknown as Parameters<typeof following>[1]);
    vi.useRealTimers();
    expect(source.limitMs).toBe(limitMs);
    expect(source.lateness().code).toBe("DEADLINE_EXCEEDED");
  });
});

describe("mergeEvents", () => {
  it("begins no more sources than may run at a time, the next as soon as one ends", async () => {
    let [running, most] = [0, 0];
    const source = async function* (name: string) {
      most = Math.max(most, ++running);
      yield event({ requestId: name });
      await new Promise(setImmediate);
      running--;
    };
    const names = ["a", "b", "c", "d", "e"];
    const seen: string[] = [];
    for await (const { choice, event } of mergeEvents(names.map(source), 2)) seen.push(`${choice}${event.requestId}`);
    expect(seen.toSorted()).toEqual(["0a", "1b", "2c", "3d", "4e"]);
    expect(most).toBe(2);
  });

  it("runs all of them together when no limit is given", async () => {
    let release: () => void = () => {};
    const last = new Promise<void>((resolve) => {
      release = resolve;
    });
    const waits = async function* () {
      await last;
      yield event();
    };
    const releases = async function* () {
      release();
      yield event();
    };
    const seen: number[] = [];
    for await (const { choice } of mergeEvents([waits(), releases()])) seen.push(choice);
    expect(seen.toSorted()).toEqual([0, 1]);
  });

  it.each([1, 2])("closes all of %d sources when its reader stops", async (count) => {
    let closed = 0;
    const source = async function* () {
      try {
        yield event();
        yield event();
      } finally {
        closed++;
      }
    };
    for await (const _ of mergeEvents(Array.from({ length: count }, source))) break;
    await expect.poll(() => closed).toBe(count);
  });

  it("costs as much per event with 2,048 choices that wait as with one", async () => {
    async function* endless(): Events {
      for (let ordinal = 0; ; ordinal++) yield { requestId: "a", ordinal, tokens: [], text: "" };
    }
    async function* waiting(): Events {
      await new Promise(() => {});
    }
    const sources = [endless(), ...Array.from({ length: 2047 }, waiting)];
    let events = 0;
    const heapBefore = process.memoryUsage().heapUsed;
    for await (const _ of mergeEvents(sources)) if (++events === 10_000) break;
    // A reaction per choice and event would be 20 million objects, more than 1 GB.
    expect(process.memoryUsage().heapUsed - heapBefore).toBeLessThan(200e6);
  });

  it("yields nothing of no sources", async () => expect(await collect(mergeEvents([]))).toEqual([]));
});
