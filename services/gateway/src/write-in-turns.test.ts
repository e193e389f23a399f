import fc from "fast-check";
import { expect, it } from "vitest";
import { costly, spin } from "./testing/spin.js";
import { turnsDuring } from "./testing/turns-during.js";
import { ownTurn } from "./turns.js";
import { JsonText, jsonInTurns, jsonParts, madeList, shortJsonInTurns } from "./write-in-turns.js";

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

it("writes an object in objects 8,000 deep, which generators in each other can't", async () => {
  const depth = 8000;
  const deep = Array.from({ length: depth }).reduce<object>((inner) => ({ x: [inner] }), {});
  const text = await jsonInTurns(deep);
  expect(text).toBe(`${'{"x":['.repeat(depth)}{}${"]}".repeat(depth)}`);
});

it("writes a bigint as its digits", async () => {
  const requests = [{ custom_id: "a", body: { seed: 9007199254740993n, n: 1 } }];
  expect(await jsonInTurns(requests)).toBe('[{"custom_id":"a","body":{"seed":9007199254740993,"n":1}}]');
});

it("writes a bigint as its digits wherever it is, and a JSON text as it is", async () => {
  const message = {
    ids: [9007199254740993n, null, "a", undefined],
    left: undefined,
    input: new JsonText('{"a": 1.0}'),
  };
  const written = '{"ids":[9007199254740993,null,"a",null],"input":{"a": 1.0}}';
  const list = Array.from({ length: 20 }, () => message);
  expect(await jsonInTurns({ list, as: new JsonText('{"a": 1.0e3}') })).toBe(
    `{"list":[${list.map(() => written).join(",")}],"as":{"a": 1.0e3}}`,
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

it("makes the elements of a list as they are written", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.jsonValue(), { maxLength: 200 }), async (values) => {
      const list = madeList(() => values[Symbol.iterator]());
      expect(await jsonInTurns({ list, last: 1 })).toBe(JSON.stringify({ list: values, last: 1 }));
    }),
    { numRuns: 100 },
  );
  let made = 0;
  const endless = madeList(function* () {
    for (;;) yield made++;
  });
  for await (const part of jsonParts(endless)) if (part.length > 0) break;
  expect(made).toBeLessThan(3000);
});

it("has turns for all work together, however many requests have some", async () => {
  const write = () => jsonInTurns({ choices: costly(400) });
  const { turns, longestMs } = await turnsDuring(() => Promise.all(Array.from({ length: 20 }, write)));
  // 400 ms of work: 20 requests with 20 ms each would do it in a turn or two.
  expect(turns).toBeGreaterThanOrEqual(8);
  expect(longestMs).toBeLessThan(200);
});

it("writes a short answer before much of the work that waited first", async () => {
  let done = 0;
  const works = Array.from({ length: 50 }, async () => {
    await ownTurn();
    spin(3);
    done++;
  });
  await works[0];
  spin(20);
  expect(await jsonInTurns({ status: "ok", models: ["a", "b"] })).toBe('{"status":"ok","models":["a","b"]}');
  expect(done).toBeLessThan(30);
  await Promise.all(works);
});

it("lets the event loop turn while it writes very many short answers", async () => {
  const write = () => jsonInTurns({ choices: costly(2) });
  const { turns } = await turnsDuring(() => Promise.all(Array.from({ length: 1500 }, write)));
  // 150 ms of work.
  expect(turns).toBeGreaterThanOrEqual(4);
});

it("gives up on what is longer than wanted", async () => {
  const value = { a: "x".repeat(100) };
  expect(await shortJsonInTurns(value, 108)).toBe(JSON.stringify(value));
  expect(await shortJsonInTurns(value, 107)).toBeUndefined();
});
