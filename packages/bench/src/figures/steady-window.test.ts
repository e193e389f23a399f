import { describe, expect, it, test } from "vitest";
import { decodeRate, gapsEndingIn, gapsOf, gapsWithin, steadyWindowOf } from "./steady-window.js";

/** `count` tokens, `stepMs` apart, the first at `start`. */
const every = (stepMs: number, start: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => start + i * stepMs);

describe("steadyWindowOf", () => {
  it("lasts from the last first token to the first last token", () => {
    expect(steadyWindowOf([every(100, 0, 10), every(100, 350, 10)])).toEqual({ from: 350, to: 900 });
  });

  it.each([
    ["one ended before another began", [every(10, 0, 5), every(10, 100, 5)]],
    ["a stream has one token", [every(10, 0, 5), [20]]],
    ["a stream has none", [every(10, 0, 5), []]],
  ])("refuses when %s", (_, streams) => {
    expect(() => steadyWindowOf(streams)).toThrowError(expect.objectContaining({ code: "MEASUREMENT_VOID" }));
  });
});

describe("decodeRate", () => {
  it("adds up what each stream does in the window", () => {
    const rate = decodeRate([every(100, 0, 11), every(50, 0, 21)], { from: 0, to: 1000 });
    expect(rate.tokensPerSecond).toBeCloseTo(30, 9);
    expect(rate).toMatchObject({ tokens: 30, seconds: 1 });
  });

  it("does not depend on which side of the window's edges a burst falls", () => {
    const steps = (offset: number): number[] => every(100, offset, 20);
    const together = [steps(0), steps(0.3), steps(0.6), steps(0.9)];
    expect(decodeRate(together, steadyWindowOf(together)).tokensPerSecond).toBeCloseTo(40, 9);
  });

  it("leaves out what came before all streams decoded", () => {
    const early = [...every(1000, 0, 5), ...every(100, 4100, 20)]; // slow while the other was prefilled
    const late = every(100, 4000, 21);
    const streams = [early, late];
    expect(decodeRate(streams, steadyWindowOf(streams)).tokensPerSecond).toBeCloseTo(20, 9);
  });
});

test("gaps within have both ends in the window, gaps ending in it their last; a first token ends none", () => {
  const arrivals = [10, 30, 60, 100];
  expect(gapsWithin(arrivals, { from: 30, to: 60 })).toEqual([30]);
  expect(gapsEndingIn(arrivals, { from: 30, to: 60 })).toEqual([20, 30]);
  expect(gapsEndingIn(arrivals, { from: 0, to: 1000 })).toEqual([20, 30, 40]);
});

test.each([
  [
    [10, 30, 60],
    [20, 30],
  ],
  [[10], []],
  [[], []],
])("gaps of %j are %j", (arrivals, gaps) => expect(gapsOf(arrivals)).toEqual(gaps));

test("streams with one token in the window have no rate", () => {
  const rate = decodeRate([[5], every(100, 0, 5)], { from: 0, to: 400 });
  expect(rate).toMatchObject({ tokens: 4 });
  expect(rate.tokensPerSecond).toBeCloseTo(10, 9);
});
