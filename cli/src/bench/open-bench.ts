import { RhoneError } from "@rhone/common";
import type { ClusterOptions } from "../cluster/cluster-options.js";
import { listenForStop } from "../cluster/stop-signals.js";
import { urlOfCluster } from "../cluster/url-of-cluster.js";
import { commandContext } from "../command-context.js";
import { BenchTarget } from "./bench-target.js";
import { describeCluster, type MeasuredCluster } from "./report/describe-cluster.js";
import type { BenchContext } from "./scenario.js";
import { withSpawnedCluster } from "./spawned-cluster.js";

/** What every scenario's command line has. */
export interface BenchOptions extends Omit<ClusterOptions, "dataDir" | "host" | "port"> {
  readonly url?: string;
  readonly dataDir?: string;
  readonly spawn?: boolean;
  readonly json?: boolean;
  readonly out?: string;
}

export interface BenchRequest {
  readonly options: BenchOptions;
  /** Cluster options that the command line gives: only a cluster that is started here can obey them. */
  readonly given: readonly string[];
  readonly signal: AbortSignal;
}

/** The context with a list of the clusters that it gave out. */
export type OpenBench = BenchContext & { readonly measured: readonly MeasuredCluster[] };

/** Throws INVALID_CONFIG when options contradict each other. */
export function openBench({ options, given, signal }: BenchRequest): OpenBench {
  const spawns = options.spawn === true;
  checkOptions(options, given);
  const { config, dataDir } = commandContext(options.dataDir, signal);
  const measured: MeasuredCluster[] = [];
  const note = (text: string): void => console.error(text);
  const use = async <T>(url: string, body: (target: BenchTarget) => Promise<T>): Promise<T> => {
    const target = await BenchTarget.open(url, signal);
    measured.push(describeCluster(target.status));
    try {
      return await body(target);
    } finally {
      target.close();
    }
  };
  const signals = spawns ? listenForStop(() => note("stopping; Ctrl-C once more kills")) : null;
  const withCluster: BenchContext["withCluster"] = async (body, changes) => {
    if (signals !== null) {
      const asked = { ...clusterOptionsOf(options), ...changes, dataDir: config.home, host: "127.0.0.1", port: 0 };
      return withSpawnedCluster({ options: asked, config, signals, onProgress: note }, (url) => use(url, body));
    }
    if (changes !== undefined) throw needsSpawn(Object.keys(changes));
    return use(options.url?.replace(/\/+$/, "") ?? (await urlOfCluster(dataDir)), body);
  };
  return { config, signal, note, spawns, withCluster, measured };
}

function checkOptions({ spawn, url }: BenchOptions, given: readonly string[]): void {
  if (spawn !== true && given.length > 0) throw needsSpawn(given);
  if (spawn === true && url !== undefined) {
    throw new RhoneError("INVALID_CONFIG", "--spawn starts a cluster, --url names one that runs: choose one of them.");
  }
}

const needsSpawn = (names: readonly string[]): RhoneError =>
  new RhoneError(
    "INVALID_CONFIG",
    `A cluster that runs already can't be given another ${names.join(", ")}: add --spawn.`,
  );

function clusterOptionsOf(options: BenchOptions): Omit<ClusterOptions, "dataDir" | "host" | "port"> {
  const { model, workers, threads, memory, kvType, slidingWindow, context, activationType } = options;
  const { maxSequences, maxRows, targetItl, speculate, device, simulate } = options;
  const built = { model, workers, threads, memory, kvType, slidingWindow, context, activationType, device, simulate };
  return { ...built, maxSequences, maxRows, targetItl, speculate };
}
