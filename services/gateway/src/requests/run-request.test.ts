import type { GenerationEvent } from "@rhone/common";
import { RhoneError } from "@rhone/common";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { collect, event, finish, testJob } from "../testing/events.js";
import { FakeCluster } from "../testing/fake-cluster.js";
import { type Events, mergeEvents } from "./merge-events.js";
import { following, generating, type RequestRun, runRequest, type SignalOf } from "./run-request.js";

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
    const open = (signalOf: SignalOf) =>
      Array.from({ length: 16 }, (_, choice) => {
        signalOf(choice).addEventListener("abort", () => {});
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
    const { events, told } = observed((signalOf) => {
      signals.push(signalOf(0));
      return [stalling(signalOf(0)), failing()];
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
    const { events, told } = observed((signalOf) => {
      signals.push(signalOf(0));
      return [stalling(signalOf(0), [event()])];
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
    const { events, told } = observed((signalOf) => [stalling(signalOf(0), [event()])], { leaving: leaving.signal });
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
    const { events, told } = observed((signalOf) => [stalling(signalOf(0))], { leaving });
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
    const { events, told } = observed((signalOf) => [stalling(signalOf(0), [event()])], { limitMs: 5000 });
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
    const detached = () => true;
    const source = generating(cluster, { jobs, atOnce: 1, detached });
    expect([source.limitMs, source.atOnce]).toEqual([10_000, 1]);
    expect(source.lateness()).toMatchObject({
      code: "DEADLINE_EXCEEDED",
      message: expect.stringMatching(/longer than 10 s/),
    });
    const { signal } = new AbortController();
    await collect(mergeEvents(source.open(() => signal)));
    expect(generate.mock.calls).toEqual(jobs.map((job) => [job, signal, { detached, queued: undefined }]));
  });

  it.each([
    ["in 20 s", 20_000, 25_000],
    ["20 s ago", -20_000, 5000],
  ])("follow jobs whose deadline is %s until their logs must have ended", (_, fromNow, limitMs) => {
    vi.useFakeTimers({ now: 1_000_000 });
    const jobs = [{ requestId: "r-0", replyTo: "g2", model: "m", lane: "interactive" as const }];
    const record = { version: 1 as const, jobs, deadlineAtMs: 1_000_000 + fromNow, owner: "" };
    const source = following(new FakeCluster(), record as unknown as Parameters<typeof following>[1]);
    vi.useRealTimers();
    expect(source.limitMs).toBe(limitMs);
    expect(source.lateness().code).toBe("DEADLINE_EXCEEDED");
  });
});
