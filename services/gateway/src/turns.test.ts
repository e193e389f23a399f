import { beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { spin } from "./testing/spin.js";
import { turnsDuring } from "./testing/turns-during.js";
import { accepted, mapInTurns, ownTurn, whenTime } from "./turns.js";

it("lets those who are ready at once go on in many turns, in their order", async () => {
  const went: number[] = [];
  const goOn = async (i: number): Promise<void> => {
    await ownTurn();
    for (let part = 0; part < 20; part++) spin(0.05);
    went.push(i);
  };
  const waiting = Array.from({ length: 300 }, (_, i) => goOn(i));
  const { turns } = await turnsDuring(() => Promise.all(waiting));
  expect(went).toEqual([...waiting.keys()]);
  // 300 ms of work, at most 10 ms and one part of it in a turn.
  expect(turns).toBeGreaterThanOrEqual(8);
});

describe("those who wait for time", () => {
  const names = (count: number): readonly number[] => [...Array(count).keys()];
  const KINDS = ["bytes", "small", "work", "end", "answer", "event"] as const;

  // What other tests left in the lines has gone before.
  beforeEach(async () => void (await Promise.all(KINDS.map(ownTurn))));

  it.each(["work", "answer"] as const)("are called in the order of their kind, an event before %ss", async (kind) => {
    const went: (number | "event")[] = [];
    const works = names(100).map(async (work) => {
      await ownTurn(kind);
      spin(3);
      went.push(work);
    });
    const event = ownTurn("event").then(() => went.push("event"));
    await Promise.all([event, ...works]);
    expect(went.filter((each) => each !== "event")).toEqual(names(100));
    expect(went.indexOf("event")).toBeLessThanOrEqual(1);
  });

  it("go on one of each kind in every turn, though none has time left", async () => {
    const went = { event: 0, answer: 0, end: 0, work: 0, small: 0, bytes: 0 };
    for (const kind of KINDS) {
      for (const _ of names(10)) {
        whenTime(kind, () => {
          spin(15);
          went[kind]++;
        });
      }
    }
    await expect.poll(() => went.work).toBeGreaterThanOrEqual(5);
    const counts = Object.values(went);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
    await expect.poll(() => went).toEqual({ event: 10, answer: 10, end: 10, work: 10, small: 10, bytes: 10 });
  });

  it("go on where a test has set the clock back behind a connection", async () => {
    await ownTurn();
    accepted();
    const clock = vi.spyOn(performance, "now").mockReturnValue(0);
    onTestFinished(() => clock.mockRestore());
    await ownTurn();
    expect(performance.now()).toBe(0);
  });

  it("wait for connections that come one in a turn, as long as they work themselves", async () => {
    let [isOver, connections] = [false, 0];
    const accept = (): void => {
      connections++;
      accepted();
      if (!isOver) setImmediate(accept);
    };
    accept();
    const before: number[] = [];
    const works = names(8).map(async () => {
      await ownTurn();
      before.push(connections);
      spin(12);
    });
    await Promise.all(works);
    isOver = true;
    const between = before.map((count, at) => count - (before[at - 1] ?? 0)).slice(1);
    // Half of them: on a busy machine the 3 ms may pass within a turn.
    expect(between.toSorted((a, b) => a - b)[between.length >> 1]).toBeGreaterThan(5);
  });

  it.each(["work", "answer"] as const)("begin one request in a turn at most while many %ss wait", async (kind) => {
    let [turns, read, done] = [0, 0, 0];
    const count = (): void => {
      turns++;
      if (done < 180) setImmediate(count);
    };
    setImmediate(count);
    for (const _ of names(400)) whenTime("bytes", () => read++);
    const works = names(200).map(async () => {
      await ownTurn(kind);
      spin(1);
      if (++done === 180) expect(read).toBeLessThanOrEqual(turns + 1);
    });
    await Promise.all(works);
    await expect.poll(() => read).toBe(400);
  });
});

it("maps in order, and lets the event loop turn", async () => {
  const items = Array.from({ length: 5000 }, (_, i) => i);
  const copy = (item: number): number => {
    spin(0.05);
    return item;
  };
  const { result, turns } = await turnsDuring(() => mapInTurns(items, copy));
  expect(result).toEqual(items);
  expect(turns).toBeGreaterThanOrEqual(4);
});
