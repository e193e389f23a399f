import { expect, it } from "vitest";
import { bytesBeyond, shardBytes } from "./model-weights.js";
import { smallModel } from "./testing/small-model.js";

const MODEL = smallModel(4);
const range = (first: number, last: number) => ({ first, last, embeds: first === 0, heads: last === 4 });

it.each([
  [range(0, 2), [], 25],
  [range(0, 4), [range(0, 2)], 26],
  [range(1, 3), [range(0, 2)], 10],
  [range(0, 4), [range(0, 2), range(2, 4)], 0],
  [range(0, 1), [range(2, 4)], 15],
])("of %j beyond %j there are %i bytes", (wanted, held, bytes) => {
  expect(bytesBeyond(MODEL, wanted, held)).toBe(bytes);
});

it("counts the whole model's bytes where one shard has all of it", () => {
  expect(shardBytes(MODEL, range(0, 4))).toBe(MODEL.wholeBytes);
});
