import { type Growth, growthOf, type Series } from "./growth.js";
import type { KeyGroup } from "./redis-watch.js";
import type { Sample } from "./sample.js";
import type { Mishap } from "./soak-load.js";

export interface SoakRecord {
  /** While the load ran, the first before it, after everything was asked once. */
  readonly samples: readonly Sample[];
  /** Once nothing was asked for a while. */
  readonly after: Sample;
  readonly done: Readonly<Record<string, number>>;
  readonly mishaps: readonly Mishap[];
  readonly warmUpMinutes: number;
  readonly seed: number;
}

export interface SoakFigures extends SoakRecord {
  readonly growths: readonly Growth[];
  /** Cores that the cluster's processes used, without those that had been started again. */
  readonly cores: number;
  /** By process: how often it was started again. */
  readonly restarts: Readonly<Record<string, number>>;
  /** Key groups that have more keys without a time to live after the load than before it: by how many. */
  readonly leftKeys: Readonly<Record<string, number>>;
  /** One line each; none when all is well. */
  readonly problems: readonly string[];
}

export function soakFigures(record: SoakRecord): SoakFigures {
  const { samples, after, mishaps, warmUpMinutes } = record;
  const growths = seriesOf(samples).map((series) => growthOf(series, warmUpMinutes));
  const [before] = samples;
  const leftKeys = Object.fromEntries(
    Object.entries(after.redis.groups).flatMap(([name, { lasting }]) => {
      const more = lasting - (before?.redis.groups[name]?.lasting ?? 0);
      return more > 0 ? [[name, more]] : [];
    }),
  );
  const problems = [
    ...growths.flatMap(({ name, isFlat }) => (isFlat === false ? [`${name} grows`] : [])),
    ...[redisFileProblem(samples) ?? []].flat(),
    ...Object.entries(leftKeys).map(([name, more]) => `${more} keys of ${name} are left and have no time to live`),
    ...(after.pages > 0 ? [`${after.pages} K/V pages are in use`] : []),
    ...(after.sequences > 0 ? [`${after.sequences} sequences are open`] : []),
    ...(mishaps.length > 0 ? [`${mishaps.length} requests went wrong`] : []),
  ];
  return { ...record, growths, cores: coresOf(samples), restarts: restartsOf(samples), leftKeys, problems };
}

type Of = (sample: Sample) => number | undefined;

function seriesOf(samples: readonly Sample[]): readonly Series[] {
  const series = (name: string, unit: Series["unit"], of: Of, settlesAfter = 0): Series => {
    const points = samples.flatMap((sample) => {
      const value = of(sample);
      return value === undefined ? [] : [{ minutes: sample.minutes, value }];
    });
    return { name, unit, points, settlesAfter };
  };
  const ttls = ttlMinutes(samples);
  const until = samples.at(-1)?.minutes ?? 0;
  const settled = Math.max(0, ...[...ttls.values()].filter((minutes) => minutes < until));
  const kept = [...ttls].flatMap(([name, minutes]) => (minutes < until ? [] : [name]));
  const names = namesIn(samples, ({ processes }) => processes);
  const server = names.includes("redis-server") ? "redis-server" : "redis";
  /** What holds the keys: records that outlive the load are not counted. */
  const holding = (name: string, of: Of): Series =>
    series(name, "bytes", (sample) => without(of(sample), bytesOf(sample.redis.groups, kept)), settled);
  return [
    ...names
      .flatMap((name) => ofProcess(name, samples, series))
      .map((each) =>
        each.name === server ? holding(server, (sample) => sample.processes[server]?.residentBytes) : each,
      ),
    holding("Redis", ({ redis }) => redis.memoryBytes),
    ...namesIn(samples, ({ redis }) => redis.groups).map((name) => {
      const keys = series(`keys ${name}`, "keys", ({ redis }) => redis.groups[name]?.keys ?? 0, ttls.get(name));
      return { ...keys, ...evenedBy(samples, keys) };
    }),
    // What runs at a moment; after the load it must be none.
    series("K/V pages in use", "count", ({ pages }) => pages, Number.POSITIVE_INFINITY),
    series("open sequences", "count", ({ sequences }) => sequences, Number.POSITIVE_INFINITY),
    ...namesIn(samples, ({ disk }) => disk).map((name) =>
      series(`disk ${name}`, "bytes", ({ disk }) => disk[name], name === "redis" ? Number.POSITIVE_INFINITY : 0),
    ),
  ];
}

/**
 * Keys as there would be if as much had been asked in each time to live: twice as many requests leave twice as many
 * records, and none of them stays. Nothing for keys that last, and where requests are not counted.
 */
function evenedBy(samples: readonly Sample[], { points, settlesAfter: ttl }: Series): Pick<Series, "evened"> {
  const asked = samples.flatMap(({ minutes, requests }) => (requests === undefined ? [] : [{ minutes, requests }]));
  if (ttl <= 0 || asked.length < samples.length) return {};
  const before = (minutes: number): number => {
    const after = asked.findIndex((each) => each.minutes >= minutes);
    const [one, other] = [asked[Math.max(0, after - 1)], asked[after]];
    if (one === undefined || other === undefined) return asked.at(-1)?.requests ?? 0;
    const share = other === one ? 0 : (minutes - one.minutes) / (other.minutes - one.minutes);
    return one.requests + Math.max(0, share) * (other.requests - one.requests);
  };
  const window = (minutes: number): number => Math.max(1, before(minutes) - before(Math.max(0, minutes - ttl)));
  const settled = points.filter(({ minutes }) => minutes >= ttl);
  const mean = settled.reduce((sum, { minutes }) => sum + window(minutes), 0) / Math.max(1, settled.length);
  return { evened: settled.map(({ minutes, value }) => ({ minutes, value: (value * mean) / window(minutes) })) };
}

const without = (bytes: number | undefined, kept: number): number | undefined =>
  bytes === undefined ? undefined : bytes - kept;

/** Redis writes its file again when that has 64 MB at least, and twice the size that it had after the last time. */
const REWRITTEN_AT = 64e6;

/** Both files are there while the new one is written. */
function redisFileProblem(samples: readonly Sample[]): string | null {
  const bytes = Math.max(...samples.map(({ disk }) => disk.redis ?? 0));
  const most = 2 * REWRITTEN_AT + 3 * Math.max(...samples.map(({ redis }) => redis.memoryBytes));
  const held = `${(bytes / 1e6).toFixed(0)} MB`;
  return bytes <= most ? null : `Redis' files had ${held}, which is more than ${(most / 1e6).toFixed(0)} MB`;
}

/** Of the process that has the name last: a process that was started again begins small. */
function ofProcess(name: string, samples: readonly Sample[], series: (...of: [string, Series["unit"], Of]) => Series) {
  const pid = samples.findLast(({ processes }) => processes[name] !== undefined)?.processes[name]?.pid;
  const now = ({ processes }: Sample) => (processes[name]?.pid === pid ? processes[name] : undefined);
  const heap = series(`${name} heap`, "bytes", (sample) => now(sample)?.heapBytes ?? undefined);
  return [
    series(name, "bytes", (sample) => now(sample)?.residentBytes),
    // Garbage comes and goes; what stays is resident memory, which is judged.
    ...(heap.points.length === 0 ? [] : [{ ...heap, settlesAfter: Number.POSITIVE_INFINITY }]),
    series(`${name} descriptors`, "count", (sample) => now(sample)?.descriptors),
    series(`${name} threads`, "count", (sample) => now(sample)?.threads),
  ];
}

/** By key group, the longest that a key had left. */
function ttlMinutes(samples: readonly Sample[]): ReadonlyMap<string, number> {
  const longest = new Map<string, number>();
  for (const { redis } of samples) {
    for (const [name, { longestTtlS }] of Object.entries(redis.groups))
      longest.set(name, Math.max(longest.get(name) ?? 0, longestTtlS / 60));
  }
  return longest;
}

const bytesOf = (groups: Readonly<Record<string, KeyGroup>>, names: readonly string[]): number =>
  names.reduce((sum, name) => sum + (groups[name]?.bytes ?? 0), 0);

const namesIn = (samples: readonly Sample[], of: (sample: Sample) => object): readonly string[] => [
  ...new Set(samples.flatMap((sample) => Object.keys(of(sample)))),
];

function restartsOf(samples: readonly Sample[]): Readonly<Record<string, number>> {
  const names = namesIn(samples, ({ processes }) => processes);
  const pids = (name: string) => new Set(samples.flatMap(({ processes }) => processes[name]?.pid ?? []));
  return Object.fromEntries(names.flatMap((name) => (pids(name).size > 1 ? [[name, pids(name).size - 1]] : [])));
}

function coresOf(samples: readonly Sample[]): number {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined) return 0;
  const seconds = Object.entries(last.processes).reduce((sum, [name, { pid, cpuSeconds }]) => {
    const before = first.processes[name];
    return sum + (before?.pid === pid ? cpuSeconds - before.cpuSeconds : 0);
  }, 0);
  return seconds / Math.max(1, (last.minutes - first.minutes) * 60);
}
