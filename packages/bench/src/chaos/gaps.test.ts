import { describe, expect, it } from "vitest";
import { faultBefore, gapSamples, type StruckFault } from "./gaps.js";

const fault = (number: number, at: number, until = at): StruckFault => {
  return { number, name: "kill worker", target: "worker-1", at, until };
};
const stream = (sentAt: number, ...arrivals: number[]) => ({ sentAt, arrivals, endedAt: arrivals.at(-1) ?? sentAt });

/** [number of the fault, milliseconds, alone] */
const samplesOf = (streams: readonly ReturnType<typeof stream>[], faults: readonly StruckFault[]) =>
  gapSamples(streams, faults).map(({ fault: { number }, ms, alone }) => [number, ms, alone]);

describe("gapSamples", () => {
  it("takes each stream's longest gap for the fault that fell into it", () => {
    const streams = [stream(0, 10, 20, 3000, 3010), stream(0, 15, 2500, 2510)];
    expect(samplesOf(streams, [fault(1, 21)])).toEqual([
      [1, 2980, true],
      [1, 2485, true],
    ]);
  });

  it("counts the wait for the first token, and leaves out what was before the first fault", () => {
    expect(samplesOf([stream(100, 2100, 2110)], [fault(1, 50)])).toEqual([[1, 2000, true]]);
    expect(samplesOf([stream(0, 2000, 2010)], [fault(1, 5000)])).toEqual([]);
  });

  it("counts a gap for the first of several faults in it, which are not alone", () => {
    const streams = [stream(0, 10, 9000, 9010, 9020)];
    expect(samplesOf(streams, [fault(1, 1000), fault(2, 5000)])).toEqual([
      [1, 8990, false],
      [2, 10, false],
    ]);
  });

  it("is not alone beside a process that is still stopped, or what a fault before it still does", () => {
    const stopped = [fault(1, 100, 60_000), fault(2, 20_000)];
    expect(samplesOf([stream(0, 19_990, 22_000)], stopped)).toContainEqual([2, 2010, false]);
    // The second stream began after the second fault, and waits for the first one's end.
    const streams = [stream(0, 990, 12_000), stream(6000, 12_000)];
    expect(samplesOf(streams, [fault(1, 1000), fault(2, 5000)])).toEqual([
      [1, 11_010, false],
      [2, 6000, false],
    ]);
  });

  it("has short gaps of faults that held nobody up", () => {
    expect(samplesOf([stream(0, 10, 30, 40, 55)], [fault(1, 12), fault(2, 41)])).toEqual([
      [1, 20, true],
      [2, 15, true],
    ]);
  });
});

it("what happens belongs to the last fault before it", () => {
  const faults = [fault(1, 100), fault(2, 200)];
  expect([50, 100, 150, 999].map((time) => faultBefore(faults, time)?.number)).toEqual([undefined, 1, 1, 2]);
});
