import type { LocalCluster } from "../chaos/local-cluster.js";
import { PrometheusSamples } from "../figures/prometheus-samples.js";
import { diskUsage } from "./disk-usage.js";
import type { MemoryWatch } from "./memory-watch.js";
import { type ProcessUsage, usageOf } from "./process-usage.js";
import type { RedisUsage, RedisWatch } from "./redis-watch.js";

export interface ProcessSample extends ProcessUsage {
  readonly pid: number;
  /** Of JavaScript; null where its /metrics are out of reach, or it has none. */
  readonly heapBytes: number | null;
}

/** What a cluster holds at a moment. */
export interface Sample {
  /** Since the load began. */
  readonly minutes: number;
  /** By name. */
  readonly processes: Readonly<Record<string, ProcessSample>>;
  readonly redis: RedisUsage;
  /** K/V pages that sequences use, of all pipelines; those cached for prompts to come are free. */
  readonly pages: number;
  readonly cachedPages: number;
  /** Running and waiting. */
  readonly sequences: number;
  /** What clients have done since the load began. Absent: not counted. */
  readonly requests?: number;
  /** Bytes by the folders of the data directory. */
  readonly disk: Readonly<Record<string, number>>;
}

export interface Watched {
  readonly cluster: LocalCluster;
  readonly redis: RedisWatch;
  readonly memory: MemoryWatch;
}

/** Resident memory is the median since the sample before. */
export async function takeSample(
  { cluster, redis, memory }: Watched,
  minutes: number,
  requests: number,
): Promise<Sample> {
  const [running, statuses, usage, disk] = await Promise.all([
    cluster.processes(),
    cluster.status(),
    redis.look(),
    diskUsage(cluster.folder),
  ]);
  const heaps = await heapsOf(cluster, statuses, running);
  const medians = memory.take();
  const processes = running.flatMap(({ name, pid }) => {
    const used = usageOf(pid);
    if (used === null) return [];
    const residentBytes = medians.get(pid) ?? used.residentBytes;
    return [[name, { pid, ...used, residentBytes, heapBytes: heaps.get(name) ?? null }] as const];
  });
  const sum = (of: (status: Status) => number): number => statuses.reduce((total, each) => total + of(each), 0);
  return {
    minutes,
    requests,
    processes: Object.fromEntries(processes),
    redis: usage,
    pages: sum(({ pages: { total, free, cached } }) => total - free - cached),
    cachedPages: sum(({ pages }) => pages.cached),
    sequences: sum(({ sequences: { running: now, waiting } }) => now + waiting),
    disk,
  };
}

type Status = Awaited<ReturnType<LocalCluster["status"]>>[number];

/** By the names of processes. Of several coordinators none tells which process it is. */
async function heapsOf(
  cluster: LocalCluster,
  statuses: readonly Status[],
  running: Awaited<ReturnType<LocalCluster["processes"]>>,
): Promise<ReadonlyMap<string, number>> {
  const workers = statuses.flatMap(({ workers: each }) => each);
  const pages = running.flatMap(({ name, pid }): (readonly [string, string])[] => {
    if (name === "gateway") return [[name, cluster.url]];
    if (name === "coordinator" && statuses.length === 1) return [[name, `http://${statuses[0]?.operations}`]];
    const worker = workers.find((each) => each.pid === pid);
    return worker === undefined ? [] : [[name, `http://${worker.operations}`]];
  });
  const heaps = await Promise.all(pages.map(async ([name, url]) => [name, await heapOf(url)] as const));
  return new Map(heaps.flatMap(([name, bytes]) => (bytes === null ? [] : [[name, bytes] as const])));
}

async function heapOf(url: string): Promise<number | null> {
  try {
    const page = await (await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(5000) })).text();
    return PrometheusSamples.parse([page]).sum("nodejs_heap_size_used_bytes");
  } catch {
    return null;
  }
}
