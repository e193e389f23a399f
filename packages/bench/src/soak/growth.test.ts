import { expect, test } from "vitest";
import { growthOf, lineOf, type Series } from "./growth.js";

const series = (heldAt: (minutes: number) => number, changes: Partial<Series> = {}): Series => ({
  ...{ name: "gateway", unit: "bytes", settlesAfter: 0, ...changes },
  points: Array.from({ length: 61 }, (_, minutes) => ({ minutes, value: heldAt(minutes) })),
});

const noise = (minutes: number): number => (minutes % 2 === 0 ? 3e6 : -3e6);

test("a line goes through the points by least squares", () => {
  const { slope, at } = lineOf(series((minutes) => 7 + 2 * minutes).points);
  expect([slope, at(0), at(30)]).toEqual([2, 7, 67]);
  expect(lineOf([{ minutes: 1, value: 5 }]).slope).toBe(0);
});

test.each<[string, (minutes: number) => number, boolean]>([
  ["noise", (minutes) => 150e6 + noise(minutes), true],
  ["a rise while it warms up", (minutes) => 150e6 + Math.min(10, minutes) * 20e6, true],
  ["a fall", (minutes) => 500e6 - 2e6 * minutes, true],
  ["9 MB of 20", (minutes) => 20e6 + 0.18e6 * Math.max(0, minutes - 10), true],
  ["4 % of 1 GB", (minutes) => 1e9 + 0.8e6 * Math.max(0, minutes - 10), true],
  ["20 MB of 150 beneath noise", (minutes) => 150e6 + 0.4e6 * minutes + noise(minutes), false],
])("%s", (_, heldAt, isFlat) => {
  expect(growthOf(series(heldAt), 10)).toMatchObject({ fromMinutes: 10, isFlat });
});

test("keys are judged once the first ones have ended, and not at all when they outlive the run", () => {
  const rise = (minutes: number): number => 100 * Math.min(20, minutes);
  const keys = { name: "keys log", unit: "keys" } as const;
  expect(growthOf(series(rise, keys), 10).isFlat).toBe(false);
  expect(growthOf(series(rise, { ...keys, settlesAfter: 20 }), 10)).toMatchObject({ fromMinutes: 20, isFlat: true });
  const kept = growthOf(
    series((minutes) => 100 * minutes, { ...keys, settlesAfter: 1440 }),
    10,
  );
  expect(kept).toMatchObject({ fromMinutes: null, isFlat: null });
  expect(kept.perHour).toBeCloseTo(6000);
});

test("the slope is per hour", () => {
  expect(
    growthOf(
      series((minutes) => 1e6 * minutes),
      10,
    ),
  ).toMatchObject({ perHour: 60e6, amount: 50e6, share: 5 });
});
