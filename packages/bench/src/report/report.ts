import { execFile } from "node:child_process";
import { arch, availableParallelism, cpus, platform, release, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { ClusterStatus } from "@rhone/common";

/** A result with everything that its figures depend on: what `--json` prints and `--out` writes. */
export interface Report {
  readonly scenario: string;
  /** ISO 8601. */
  readonly at: string;
  /** Of Rhone; "-dirty" after it when files were changed, null outside a git checkout. */
  readonly commit: string | null;
  readonly hardware: Hardware;
  readonly clusters: readonly MeasuredCluster[];
  /** The options in force. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly result: unknown;
}

export interface Hardware {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly system: string;
  readonly node: string;
}

/** The settings of a cluster that decide its figures, without a path of this machine. */
export interface MeasuredCluster {
  readonly model: {
    readonly name: string;
    readonly layers: number;
    readonly parameters: number;
    readonly fileBytes: number;
    readonly contextLength: number;
    readonly slidingWindow: number | null;
  };
  readonly kvType: string;
  readonly pages: { readonly size: number; readonly total: number };
  /** In the order of the stages; spares last. */
  readonly workers: readonly {
    readonly device: string;
    readonly threads: number;
    readonly layers: readonly [first: number, last: number] | null;
  }[];
}

/** Adds time, commit and hardware to what was measured. */
export async function reportOf(
  measured: Pick<Report, "scenario" | "clusters" | "options" | "result">,
): Promise<Report> {
  const { scenario, clusters, options, result } = measured;
  const [at, commit, hardware] = [new Date().toISOString(), await sourceVersion(), describeHardware()];
  return { scenario, at, commit, hardware, clusters, options, result };
}

export function describeCluster({ model, kvType, pages, workers }: ClusterStatus): MeasuredCluster {
  const { name, nLayers, parameters, fileBytes, contextLength, slidingWindow } = model;
  const firstLayer = ({ layers }: Pick<MeasuredCluster["workers"][number], "layers">): number => layers?.[0] ?? nLayers;
  return {
    model: { name, layers: nLayers, parameters, fileBytes, contextLength, slidingWindow },
    kvType,
    pages: { size: pages.size, total: pages.total },
    workers: workers
      .toSorted((a, b) => firstLayer(a) - firstLayer(b))
      .map(({ device, threads, layers }) => ({ device, threads, layers })),
  };
}

function describeHardware(): Hardware {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    system: `${platform()} ${arch()} ${release()}`,
    node: process.version,
  };
}

const ROOT = fileURLToPath(new URL("../../../..", import.meta.url));

async function sourceVersion(): Promise<string | null> {
  try {
    const { stdout } = await promisify(execFile)("git", ["-C", ROOT, "describe", "--always", "--dirty", "--exclude=*"]);
    return stdout.trim();
  } catch {
    return null;
  }
}
