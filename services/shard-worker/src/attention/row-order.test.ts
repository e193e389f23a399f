import { expect, it } from "vitest";
import { RowOrder } from "./row-order.js";

const [a, b, c] = [
  { name: "a", count: 2 },
  { name: "b", count: 1 },
  { name: "c", count: 1 },
];

it("moves rows between a frame's order and the order of computation, and back", () => {
  const order = new RowOrder([a, b, c], [c, b, a]);
  const frame = Uint8Array.of(1, 1, 2, 2, 3, 3, 4, 4);
  const computed = order.toComputed(frame, 2);
  expect([...computed]).toEqual([4, 4, 3, 3, 1, 1, 2, 2]);
  expect([...order.toFrame(computed, 2)]).toEqual([...frame]);
  expect([order.startOf(c), order.startOf(b), order.startOf(a)]).toEqual([0, 1, 2]);
  expect(order.rows).toBe(4);
});

it("the way back undoes orders that are not their own inverse", () => {
  const order = new RowOrder([a, b, c], [b, c, a]);
  const frame = Uint8Array.of(1, 2, 3, 4);
  expect([...order.toComputed(frame, 1)]).toEqual([3, 4, 1, 2]);
  const rotated = new RowOrder([b, c, a], [c, a, b]);
  expect([...rotated.toComputed(frame, 1)]).toEqual([2, 3, 4, 1]);
  expect([...rotated.toFrame(rotated.toComputed(frame, 1), 1)]).toEqual([...frame]);
});

it("copies nothing when the orders agree", () => {
  const frame = Uint8Array.of(1, 2, 3, 4);
  const order = new RowOrder([a, b, c], [a, b, c]);
  expect(order.toComputed(frame, 1)).toBe(frame);
  expect(order.toFrame(frame, 1)).toBe(frame);
});

it("numbers rows in the order of computation", () => {
  const order = new RowOrder([a, b, c], [c, a, b]);
  expect([...order.eachRow(({ name }, i) => (name === "a" ? 10 + i : 0))]).toEqual([0, 10, 11, 0]);
});
