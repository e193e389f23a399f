import { expect, test } from "vitest";
import type { KeyGroup } from "./redis-watch.js";
import type { Sample } from "./sample.js";
import { type SoakRecord, soakFigures } from "./soak-figures.js";

const usage = { descriptors: 30, threads: 12, cpuSeconds: 0, heapBytes: null };
const group = (keys: number, changes: Partial<KeyGroup> = {}): KeyGroup => {
  return { keys, bytes: 1000 * keys, lasting: 0, longestTtlS: 600, ...changes };
};

/** A cluster in which nothing grows. */
function sampleAt(minutes: number, changes: Partial<Sample> = {}): Sample {
  const gateway = { pid: 7, ...usage, residentBytes: 150e6, cpuSeconds: 18 * minutes };
  const redis = { memoryBytes: 5e6, groups: { log: group(Math.min(10, minutes) * 100) } };
  return { minutes, processes: { gateway }, redis, pages: 20, cachedPages: 9, sequences: 3, disk: {}, ...changes };
}

const IDLE = { pages: 0, sequences: 0 };

function figuresOf(at: (minutes: number) => Partial<Sample>, changes: Partial<SoakRecord> = {}) {
  const samples = Array.from({ length: 61 }, (_, minutes) => sampleAt(minutes, at(minutes)));
  const common = { done: { stream: 9 }, mishaps: [], warmUpMinutes: 10, seed: 1 };
  return soakFigures({ samples, after: sampleAt(61, IDLE), ...common, ...changes });
}

const process = (pid: number, residentBytes: number) => ({ processes: { gateway: { pid, ...usage, residentBytes } } });
const redis = (groups: Sample["redis"]["groups"], memoryBytes = 5e6) => ({ redis: { memoryBytes, groups } });

test("a cluster in which nothing grows has no problem; keys settle when the first ones have ended", () => {
  const { problems, cores, restarts, growths } = figuresOf(() => ({}));
  expect([problems, restarts]).toEqual([[], {}]);
  expect(cores).toBeCloseTo(0.3);
  expect(growths.find(({ name }) => name === "keys log")).toMatchObject({ fromMinutes: 10, isFlat: true });
  expect(growths.find(({ name }) => name === "K/V pages in use")?.isFlat).toBeNull();
});

test.each<[string, (minutes: number) => Partial<Sample>, string]>([
  ["memory", (minutes) => process(7, 150e6 + 1e6 * minutes), "gateway grows"],
  ["keys", (minutes) => redis({ log: group(100 * minutes) }), "keys log grows"],
  ["Redis", (minutes) => redis({ log: group(100) }, 5e6 + 1e6 * minutes), "Redis grows"],
  ["files", (minutes) => ({ disk: { logs: 1e6 * minutes } }), "disk logs grows"],
])("%s that grows is named", (_, at, problem) => expect(figuresOf(at).problems).toEqual([problem]));

test.each<[string, (minutes: number) => number, (minutes: number) => number, readonly string[]]>([
  // 10 a minute at first, 40 at the end: the integral of the rate.
  ["more requests leave more keys", (m) => 10 * m + (m * m) / 4, (m) => 10 * m + (m * m) / 4, []],
  ["keys that outlive their time", (m) => 100 * m, (m) => 1000 * m, ["keys log grows"]],
  ["keys that outlive it beside more requests", (m) => 10 * m + (m * m) / 4, (m) => m * m * m, ["keys log grows"]],
])("%s: judged at an even rate of requests", (_, asked, made, problems) => {
  const within = (minutes: number) =>
    Math.round(made(minutes) - (problems.length > 0 ? 0 : made(Math.max(0, minutes - 10))));
  const at = (minutes: number) => ({ ...redis({ log: group(within(minutes)) }), requests: asked(minutes) });
  expect(figuresOf(at).problems).toEqual(problems);
});

test("records that are kept for longer than the load are not judged, nor their memory", () => {
  const kept = (minutes: number) => {
    const idempotent = group(1000 * minutes, { longestTtlS: 86_400 });
    return redis({ idempotent }, 5e6 + idempotent.bytes);
  };
  const { problems, growths } = figuresOf(kept);
  expect(problems).toEqual([]);
  expect(growths.find(({ name }) => name === "keys idempotent")).toMatchObject({ isFlat: null, perHour: 60_000 });
});

test("the memory of Redis' process is judged once keys settle", () => {
  const filling = (minutes: number) => {
    const server = { pid: 9, ...usage, residentBytes: 20e6 + 3e6 * Math.min(20, minutes) };
    return {
      ...redis({ stream: group(100 * Math.min(20, minutes), { longestTtlS: 1200 }) }),
      processes: { "redis-server": server },
    };
  };
  const { growths, problems } = figuresOf(filling);
  expect(growths.find(({ name }) => name === "redis-server")).toMatchObject({ fromMinutes: 20, isFlat: true });
  expect(problems).toEqual([]);
});

test("Redis' files may go up and down, as far as Redis lets them", () => {
  expect(figuresOf((minutes) => ({ disk: { redis: 100e6 * ((minutes % 20) / 20) } })).problems).toEqual([]);
  const { problems } = figuresOf((minutes) => ({ disk: { redis: 10e6 * minutes } }));
  expect(problems).toEqual(["Redis' files had 600 MB, which is more than 143 MB"]);
});

test("a process that was started again is judged from then on", () => {
  const { problems, restarts } = figuresOf((minutes) => (minutes < 30 ? process(7, 150e6) : process(8, 400e6)));
  expect([problems, restarts]).toEqual([[], { gateway: 1 }]);
});

test("what is left after the load is named", () => {
  const left = sampleAt(61, { ...redis({ cancelled: group(4, { lasting: 4 }) }), pages: 2, sequences: 1 });
  const mishaps = [{ task: "stream", atMs: 1, why: "lost" }];
  expect(figuresOf(() => ({}), { after: left, mishaps }).problems).toEqual([
    "4 keys of cancelled are left and have no time to live",
    "2 K/V pages are in use",
    "1 sequences are open",
    "1 requests went wrong",
  ]);
});
