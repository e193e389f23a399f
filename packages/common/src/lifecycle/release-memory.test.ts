import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { collector, releaseMemory } from "./release-memory.js";

const MB = 1024 * 1024;
const LOOK_MS = 1000;

describe("a process that grew from 100 MB to 200", () => {
  let [resident, collections, utilization, heap, needed] = [0, 0, 0, 0, 0];
  let stop: () => void;
  beforeEach(() => {
    [resident, collections, utilization, heap, needed] = [100 * MB, 0, 0, 32 * MB, 105 * MB];
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "setTimeout"] });
    vi.spyOn(performance, "eventLoopUtilization").mockImplementation(() => ({ idle: 0, active: 0, utilization }));
    const collect = () => void collections++;
    const trim = () => {
      resident = needed;
    };
    stop = releaseMemory({ lookMs: LOOK_MS, resident: () => resident, heap: () => heap, collect, trim });
    vi.advanceTimersByTime(LOOK_MS / 2); // the second collection of each look is in its half of the time
    resident = 200 * MB;
  });
  afterEach(() => {
    stop();
    vi.useRealTimers();
    vi.restoreAllMocks();
  });
  const look = (times: number) => {
    for (let each = 0; each < times; each++) vi.advanceTimersByTime(LOOK_MS);
    return collections / 2;
  };

  it("collects and trims when it is quiet, and not again until it grows", () => {
    expect(look(1)).toBe(1);
    expect(resident).toBe(105 * MB);
    resident = 114 * MB;
    expect(look(5)).toBe(1);
    resident = 115 * MB;
    expect(look(1)).toBe(2);
  });

  it("collects again while a request may have used its memory, and then needs it", () => {
    needed = 200 * MB;
    expect(look(2)).toBe(2);
    needed = 105 * MB;
    expect(look(1)).toBe(3);
    needed = resident = 200 * MB;
    expect(look(9)).toBe(6);
    resident = 150 * MB;
    look(1);
    needed = 150 * MB;
    resident = 200 * MB;
    expect(look(1)).toBe(7);
  });

  it("collects at the third look while it works", () => {
    utilization = 0.5;
    expect(look(2)).toBe(0);
    expect(look(1)).toBe(1);
    expect(resident, "not trimmed").toBe(200 * MB);
  });

  it("starts counting again when it has shrunk meanwhile", () => {
    utilization = 0.5;
    look(2);
    resident = 105 * MB;
    look(1);
    resident = 200 * MB;
    expect(look(2)).toBe(0);
  });

  it("is left alone while it works with a larger heap than 32 MB", () => {
    utilization = 0.5;
    heap = 33 * MB;
    expect(look(9)).toBe(0);
    utilization = 0.01;
    expect(look(1)).toBe(1);
  });

  it("is left alone when it is stopped", () => {
    stop();
    expect(look(5)).toBe(0);
  });
});

it("collects what nothing refers to", () => {
  const collect = collector();
  collect();
  const before = process.memoryUsage().heapUsed;
  let garbage: unknown[] | null = Array.from({ length: 300_000 }, (_, i) => ({ i, text: `${i}` }));
  collect(); // into the old generation, which V8 leaves alone for long
  expect(process.memoryUsage().heapUsed - before).toBeGreaterThan(10 * MB);
  garbage = null;
  collect();
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(5 * MB);
  expect(garbage).toBeNull();
  expect("gc" in globalThis).toBe(false);
});
