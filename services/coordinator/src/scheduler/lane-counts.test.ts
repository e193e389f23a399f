import { expect, it } from "vitest";
import { fakeSequence } from "../testing/scheduling.js";
import { countLanes } from "./lane-counts.js";

it("counts sequences by lane, and knows the oldest of each that waits", () => {
  const [a, b, c] = [
    fakeSequence({ arrivedAtMs: 30 }),
    fakeSequence({ arrivedAtMs: 20, lane: "batch" }),
    fakeSequence({ arrivedAtMs: 10, lane: "batch" }),
  ];
  expect(countLanes([a], [b, c])).toEqual({
    interactive: { running: 1, waiting: 0, oldestMs: null },
    batch: { running: 0, waiting: 2, oldestMs: 10 },
  });
});
