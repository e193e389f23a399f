import { expect, it } from "vitest";
import { LongestWait } from "./longest-wait.js";

it("is the longest of the waits that ended", () => {
  const wait = new LongestWait();
  for (const [from, to] of [
    [0, 10],
    [20, 50],
    [60, 65],
  ] as const) {
    wait.begin(from);
    wait.end(to);
  }
  expect(wait.take(100)).toBe(30);
  expect(wait.take(200)).toBe(0);
});

it("counts a wait under way, and its whole length when it ends in a later span", () => {
  const wait = new LongestWait();
  wait.begin(0);
  expect(wait.take(40)).toBe(40);
  wait.end(70);
  expect(wait.take(80)).toBe(70);
});

it("forgets a wait that is dropped", () => {
  const wait = new LongestWait();
  wait.begin(0);
  wait.drop();
  expect(wait.take(40)).toBe(0);
});

it("ignores an end without a beginning", () => {
  const wait = new LongestWait();
  wait.end(50);
  expect(wait.take(60)).toBe(0);
});
