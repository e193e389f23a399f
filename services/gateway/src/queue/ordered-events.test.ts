import type { GenerationEvent } from "@rhone/common";
import { describe, expect, it, vi } from "vitest";
import { OrderedEvents } from "./ordered-events.js";

const event = (ordinal: number, last = false): GenerationEvent => ({
  requestId: "r",
  ordinal,
  tokens: [ordinal],
  text: String(ordinal),
  ...(last && { finish: { reason: "length" as const } }),
});

async function ordinalsOf(inbox: OrderedEvents, signal = new AbortController().signal): Promise<number[]> {
  const ordinals: number[] = [];
  for await (const { ordinal } of inbox.events(signal)) ordinals.push(ordinal);
  return ordinals;
}

const whole = (...events: GenerationEvent[]) => ({ events, hasMore: false });
const emptyLog = async () => whole();

describe("OrderedEvents", () => {
  it("gives events in order, each once, and ends at the finish", async () => {
    const inbox = new OrderedEvents({ readLog: emptyLog, silenceMs: 1000 });
    for (const arrived of [event(0), event(0), event(2, true), event(1), event(1)]) inbox.accept(arrived);
    expect(await ordinalsOf(inbox)).toEqual([0, 1, 2]);
  });

  it("goes on after the last of the events that one joins", async () => {
    const readLog = async (ordinal: number) =>
      ordinal === 3 ? whole({ ...event(3), joins: 2 }, event(5, true)) : whole(event(5, true));
    const inbox = new OrderedEvents({ readLog, silenceMs: 60_000 });
    for (const arrived of [{ ...event(0), joins: 3 }, event(5, true), { ...event(0), joins: 3 }]) inbox.accept(arrived);
    expect(await ordinalsOf(inbox)).toEqual([0, 3, 5]);
  });

  it("fills a gap from the log", async () => {
    const asked: number[] = [];
    const readLog = async (ordinal: number) => {
      asked.push(ordinal);
      return whole(...[event(0), event(1), event(2)].slice(ordinal));
    };
    const inbox = new OrderedEvents({ readLog, silenceMs: 60_000 });
    inbox.accept(event(0));
    inbox.accept(event(3, true));
    expect(await ordinalsOf(inbox)).toEqual([0, 1, 2, 3]);
    expect(asked).toEqual([1]);
  });

  it("reads a long log part by part, and waits for nothing in between", async () => {
    const asked: number[] = [];
    const readLog = async (ordinal: number) => {
      asked.push(ordinal);
      return { events: [event(ordinal), event(ordinal + 1, ordinal === 4)], hasMore: true };
    };
    const inbox = new OrderedEvents({ readLog, silenceMs: 60_000 });
    inbox.suspect();
    expect(await ordinalsOf(inbox)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(asked).toEqual([0, 2, 4]);
  });

  it("reads the log after a silence", async () => {
    const inbox = new OrderedEvents({ readLog: async () => whole(event(0), event(1, true)), silenceMs: 1 });
    expect(await ordinalsOf(inbox)).toEqual([0, 1]);
  });

  it("reads a log in which nothing is new less and less often", async () => {
    vi.useFakeTimers();
    const readAt: number[] = [];
    const readLog = async (ordinal: number) => {
      readAt.push(Date.now() - began);
      return readAt.length === 7
        ? whole(event(ordinal))
        : whole(...(readAt.length === 9 ? [event(ordinal, true)] : []));
    };
    const began = Date.now();
    const ordinals = ordinalsOf(new OrderedEvents({ readLog, silenceMs: 1000 }));
    await vi.advanceTimersByTimeAsync(60_000);
    vi.useRealTimers();
    expect(await ordinals).toEqual([0, 1]);
    // 1, 2, 4, 8, 8 ... silences; what was new begins again.
    expect(readAt.map((ms) => ms / 1000)).toEqual([1, 3, 7, 15, 23, 31, 39, 40, 42]);
  });

  it("reads the log when announcements may have been lost", async () => {
    const inbox = new OrderedEvents({ readLog: async () => whole(event(0, true)), silenceMs: 60_000 });
    const ordinals = ordinalsOf(inbox);
    inbox.suspect();
    expect(await ordinals).toEqual([0]);
  });

  it("keeps little of what its reader does not read yet, and takes the rest from the log, each once", async () => {
    const top = Array.from({ length: 20 }, (_, i) => [i, -1] as const);
    const wide = (ordinal: number) => ({
      ...event(ordinal, ordinal === 499),
      logprobs: [{ token: 1, logprob: -1, top }],
    });
    const log = Array.from({ length: 500 }, (_, ordinal) => wide(ordinal));
    const asked: number[] = [];
    const readLog = async (ordinal: number) => {
      asked.push(ordinal);
      return { events: log.slice(ordinal, ordinal + 64), hasMore: true };
    };
    const inbox = new OrderedEvents({ readLog, silenceMs: 60_000 });
    for (const announced of log) inbox.accept(announced);
    const reading = inbox.events(new AbortController().signal);
    const ordinals: number[] = [];
    for await (const { ordinal } of reading) {
      if (ordinals.push(ordinal) === 40) for (const again of log) inbox.accept(again);
    }
    expect(ordinals).toEqual(log.map(({ ordinal }) => ordinal));
    // 27 events of 2.4 KB are 64 KiB.
    expect(asked[0]).toBe(27);
    expect(asked.length).toBeLessThan(500 / 27);
  });

  it("takes an event that its reader waits for, whatever came before it", async () => {
    const inbox = new OrderedEvents({ readLog: emptyLog, silenceMs: 60_000 });
    const late = Array.from({ length: 2000 }, (_, i) => event(i + 1));
    for (const announced of late) inbox.accept(announced);
    inbox.accept(event(0));
    const reading = inbox.events(new AbortController().signal);
    expect((await reading.next()).value).toMatchObject({ ordinal: 0 });
    await reading.return();
  });

  it("throws the signal's reason at once while the log is read, as when Redis is away", async () => {
    const abort = new AbortController();
    const inbox = new OrderedEvents({ readLog: () => new Promise(() => {}), silenceMs: 1000 });
    inbox.suspect();
    const reading = ordinalsOf(inbox, abort.signal);
    await new Promise((resolve) => setImmediate(resolve));
    abort.abort(new Error("over"));
    await expect(reading).rejects.toThrow("over");
  });

  it("throws the signal's reason", async () => {
    const abort = new AbortController();
    const ordinals = ordinalsOf(new OrderedEvents({ readLog: emptyLog, silenceMs: 60_000 }), abort.signal);
    abort.abort(new Error("gone"));
    await expect(ordinals).rejects.toThrow("gone");
  });
});
