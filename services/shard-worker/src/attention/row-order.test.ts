import { expect, it } from "vitest";
import { RowOrder } from "./row-order.js";

const [a, b, c] = [{ count: 2 }, { count: 1 }, { count: 1 }];

it("moves rows between a frame's order and the order of computation, and back", () => {
  const order = new RowOrder([a, b, c], [c, b, a]);
  const frame = Uint8Array.of(1, 1, 2, 2, 3, 3, 4, 4);
  const computed = order.toComputed(frame, 2);
  expect([...computed]).toEqual([4, 4, 3, 3, 1, 1, 2, 2]);
  expect([...order.toFrame(computed, 2)]).toEqual([...frame]);
  expect([order.startOf(c), order.startOf(b), order.startOf(a)]).toEqual([0, 1, 2]);
});

it("copies nothing when the orders agree", () => {
  const frame = Uint8Array.of(1, 2, 3, 4);
  expect(new RowOrder([a, b, c], [a, b, c]).toComputed(frame, 1)).toBe(frame);
});
