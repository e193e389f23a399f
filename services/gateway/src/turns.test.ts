import fc from "fast-check";
import { expect, it } from "vitest";
import { turnsDuring } from "./testing/turns-during.js";
import { jsonInTurns, mapInTurns, ownTurn, shortJsonInTurns } from "./turns.js";

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
  let longest = 0;
  let last = performance.now();
  const ticking = setInterval(() => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }, 1);
  const answers = await Promise.all(Array.from({ length: 20 }, () => jsonInTurns({ choices: costly(400) })));
  clearInterval(ticking);
  expect(answers).toHaveLength(20);
  // 20 requests with a turn of 20 ms each would take 400 ms in one.
  expect(longest).toBeLessThan(200);
});

it("lets those who are ready at once go on in many turns, in their order", async () => {
  const went: number[] = [];
  const goOn = async (i: number): Promise<void> => {
    await ownTurn();
    for (let part = 0; part < 20; part++) spin(part);
    went.push(i);
  };
  const waiting = Array.from({ length: 300 }, (_, i) => goOn(i));
  const { turns } = await turnsDuring(() => Promise.all(waiting));
  expect(went).toEqual([...waiting.keys()]);
  // 300 ms of work, at most 20 ms and one part of it in a turn.
  expect(turns).toBeGreaterThanOrEqual(8);
});

it("gives up on what is longer than wanted", async () => {
  const value = { a: "x".repeat(100) };
  expect(await shortJsonInTurns(value, 108)).toBe(JSON.stringify(value));
  expect(await shortJsonInTurns(value, 107)).toBeUndefined();
});

it("maps in order, and lets the event loop turn", async () => {
  const items = Array.from({ length: 5000 }, (_, i) => i);
  const { result, turns } = await turnsDuring(() => mapInTurns(items, spin));
  expect(result).toEqual(items);
  expect(turns).toBeGreaterThanOrEqual(4);
});

/** Objects that take 0.05 ms each to be written. */
function costly(count: number) {
  return Array.from({ length: count }, (_, token) => ({
    get token() {
      return spin(token);
    },
  }));
}

function spin(i: number): number {
  const until = performance.now() + 0.05;
  while (performance.now() < until);
  return i;
}
