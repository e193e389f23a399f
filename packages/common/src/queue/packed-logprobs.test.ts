import fc from "fast-check";
import { expect, it } from "vitest";
import { LogprobList, packLogprobs, scoreBytes, unpackLogprobs } from "./packed-logprobs.js";

const id = fc.integer({ min: 0, max: 2 ** 31 - 1 });
const logprob = fc.oneof(fc.float({ max: 0, noNaN: true }), fc.constant(Number.NEGATIVE_INFINITY));
const pair = fc.tuple(id, logprob);
const lists = fc.array(fc.record({ token: id, logprob, top: fc.array(pair, { maxLength: 20 }) }), { maxLength: 30 });

it("gives back what was packed", () => {
  fc.assert(
    fc.property(lists, (list) => {
      expect(unpackLogprobs(packLogprobs(list))).toEqual(list);
    }),
  );
});

it("keeps what was pushed, in order and however it came in parts", () => {
  fc.assert(
    fc.property(fc.array(lists, { maxLength: 40 }), (parts) => {
      const list = new LogprobList();
      for (const part of parts) list.push(part);
      expect([...list]).toEqual(parts.flat());
      expect([...list]).toEqual(parts.flat());
    }),
  );
});

it("keeps a long list in little more memory than its words take", () => {
  const top = Array.from({ length: 20 }, (_, i) => [i, -1] as const);
  const list = new LogprobList();
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 4096; i++) list.push([{ token: i, logprob: -0.5, top }]);
  expect(scoreBytes(20)).toBe(172);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4096 * scoreBytes(20) + 128 * 1024);
  expect([...list].map(({ token }) => token)).toEqual(Array.from({ length: 4096 }, (_, i) => i));
});

it("takes less than half the bytes of JSON", () => {
  const top = Array.from({ length: 20 }, (_, i) => [1000 + i, Math.fround(-Math.log(i + 2))] as const);
  const list = [{ token: 1000, logprob: Math.fround(-0.1), top }];
  expect(packLogprobs(list).length * 2).toBeLessThan(JSON.stringify(list).length);
});

const words = (...values: readonly number[]) => Buffer.from(Int32Array.from(values).buffer).toString("base64");
const ONE = 0x3f800000; // f32 1.0

it.each([
  ["an end within a token", words(7)],
  ["an end within the alternatives", words(7, ONE, 2, 8, ONE)],
  ["bytes that are no word", Buffer.from([1, 2, 3]).toString("base64")],
  ["a negative id", words(-7, ONE, 0)],
  ["a negative number of alternatives", words(7, ONE, -1)],
  ["NaN", words(7, 0x7fc00000, 0)],
])("refuses %s", (_, packed) => expect(() => unpackLogprobs(packed)).toThrow(RangeError));
