import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { collector, releaseMemory } from "./release-memory.js";

const MB = 1024 * 1024;
const LOOK_MS = 10_000;

describe("a process that grew from 100 MB to 200", () => {
  let [resident, collections, computed, working, needed] = [0, 0, 0, 0, 0];
  let stop: () => void;
  beforeEach(() => {
    [resident, collections, computed, working, needed] = [100 * MB, 0, 0, 0.25, 105 * MB];
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "setTimeout", "performance"] });
    const collect = () => void collections++;
    const trim = () => {
      resident = needed;
    };
    stop = releaseMemory({ lookMs: LOOK_MS, resident: () => resident, computed: () => computed, collect, trim });
    vi.advanceTimersByTime(LOOK_MS / 2); // memory is given back in the half of the time after each look
    resident = 200 * MB;
  });
  afterEach(() => {
    stop();
    vi.useRealTimers();
  });
  const look = (times: number) => {
    for (let each = 0; each < times; each++) {
      computed += working * LOOK_MS;
      vi.advanceTimersByTime(LOOK_MS);
    }
    return collections;
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
    expect(look(2)).toBe(3);
    needed = resident = 200 * MB;
    expect(look(9)).toBe(6);
    resident = 150 * MB;
    look(1);
    needed = 150 * MB;
    resident = 200 * MB;
    expect(look(1)).toBe(7);
  });

  it("collects at the third look while it works", () => {
    working = 0.5;
    expect(look(2)).toBe(0);
    expect(look(1)).toBe(1);
    expect(resident, "not trimmed").toBe(200 * MB);
  });

  it("needs what it holds when that comes back after each collection", () => {
    working = 1;
    for (let each = 0; each < 30; each++) {
      resident = 200 * MB;
      look(1);
      resident = 110 * MB; // collected, until the next look
    }
    expect(collections).toBe(3);
  });

  it("starts counting again when it has shrunk meanwhile", () => {
    working = 0.5;
    look(2);
    resident = 105 * MB;
    look(1);
    resident = 200 * MB;
    expect(look(2)).toBe(0);
  });

  it("is left alone when it is stopped", () => {
    stop();
    expect(look(5)).toBe(0);
  });
});

it("collects what nothing refers to, after the turn, and gives the pages back", async () => {
  const collect = collector();
  // 600,000 times 72 bytes. What was there before may be garbage of other tests, which V8 may have collected meanwhile.
  let garbage: unknown[] | null = Array.from({ length: 600_000 }, (_, i) => ({ i, text: `${i}` }));
  const { heapUsed, heapTotal } = process.memoryUsage();
  garbage = null;
  collect();
  await vi.waitFor(() => expect(process.memoryUsage().heapUsed).toBeLessThan(heapUsed - 35 * MB), 10_000);
  await vi.waitFor(() => expect(process.memoryUsage().heapTotal).toBeLessThan(heapTotal - 30 * MB), 10_000);
  expect(garbage).toBeNull();
  expect("gc" in globalThis).toBe(false);
});
