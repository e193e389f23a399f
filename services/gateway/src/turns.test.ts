import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { costly, spin } from "./testing/spin.js";
import { turnsDuring } from "./testing/turns-during.js";
import { jsonInTurns, mapInTurns, ownTurn, shortJsonInTurns, timeLeft, whenTime } from "./turns.js";

it("writes what JSON.stringify writes", async () => {
  const long = fc.array(fc.jsonValue({ maxDepth: 2 }), { minLength: 60, maxLength: 200, size: "max" });
  const fields = fc.record({ a: fc.jsonValue(), b: fc.option(fc.jsonValue(), { nil: undefined }), choices: long });
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.jsonValue({ maxDepth: 8 }), fields), async (value) => {
      expect(await jsonInTurns(value)).toBe(JSON.stringify(value));
    }),
    { numRuns: 300 },
  );
});

it.each([
  ["one choice with 5,000 entries", { choices: [{ logprobs: { content: costly(5000) } }] }],
  ["100 choices with 50 entries each", { choices: Array.from({ length: 100 }, () => ({ content: costly(50) })) }],
])("lets the event loop turn while it writes %s", async (_, answer) => {
  const { result, turns } = await turnsDuring(() => jsonInTurns(answer));
  expect(result).toBe(JSON.stringify(answer));
  expect(turns).toBeGreaterThanOrEqual(4);
});

it("has turns for all work together, however many requests have some", async () => {
  const write = () => jsonInTurns({ choices: costly(400) });
  const { turns, longestMs } = await turnsDuring(() => Promise.all(Array.from({ length: 20 }, write)));
  // 400 ms of work: 20 requests with 20 ms each would do it in a turn or two.
  expect(turns).toBeGreaterThanOrEqual(8);
  expect(longestMs).toBeLessThan(200);
});

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
  // 300 ms of work, at most 20 ms and one part of it in a turn.
  expect(turns).toBeGreaterThanOrEqual(8);
});

describe("those who wait for time", () => {
  const names = (count: number): readonly number[] => [...Array(count).keys()];

  it("are called in the order of their kind, an event of an answer among the first", async () => {
    const went: (number | "event")[] = [];
    const works = names(100).map(async (work) => {
      await ownTurn();
      spin(3);
      went.push(work);
    });
    const event = ownTurn("event").then(() => went.push("event"));
    await Promise.all([event, ...works]);
    expect(went.filter((each) => each !== "event")).toEqual(names(100));
    expect(went.indexOf("event")).toBeLessThanOrEqual(1);
  });

  it("go on one of each kind in every turn, though none has time left", async () => {
    const went = { event: 0, work: 0, bytes: 0 };
    for (const kind of ["bytes", "work", "event"] as const) {
      for (const _ of names(10)) {
        whenTime(kind, () => {
          spin(25);
          went[kind]++;
        });
      }
    }
    await expect.poll(() => went.work).toBeGreaterThanOrEqual(5);
    const counts = Object.values(went);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
    await expect.poll(() => went).toEqual({ event: 10, work: 10, bytes: 10 });
  });

  it("begin no more than one request in a turn while much work waits", async () => {
    let [turns, read, done] = [0, 0, 0];
    const count = (): void => {
      turns++;
      if (done < 130) setImmediate(count);
    };
    setImmediate(count);
    for (const _ of names(400)) whenTime("bytes", () => read++);
    const works = names(200).map(async () => {
      await ownTurn();
      spin(1);
      if (++done === 130) expect(read).toBeLessThanOrEqual(turns + 1);
    });
    await Promise.all(works);
    await expect.poll(() => read).toBe(400);
  });
});

it("writes a short answer at once, though others have used the turn's time", async () => {
  await timeLeft();
  spin(30);
  const { result, turns } = await turnsDuring(() => jsonInTurns({ status: "ok", models: ["a", "b"] }));
  expect([result, turns]).toEqual(['{"status":"ok","models":["a","b"]}', 0]);
});

it("gives up on what is longer than wanted", async () => {
  const value = { a: "x".repeat(100) };
  expect(await shortJsonInTurns(value, 108)).toBe(JSON.stringify(value));
  expect(await shortJsonInTurns(value, 107)).toBeUndefined();
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
