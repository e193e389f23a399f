import {
  type BenchContext,
  BenchTarget,
  type ClusterChanges,
  describeCluster,
  type MeasuredCluster,
  whyNoHosts,
} from "@rhone/bench";
import { RhoneError } from "@rhone/common";
import { readClusterRecord } from "../cluster/cluster-record.js";
import { clusterSecretOf } from "../cluster/cluster-security.js";
import { urlOfCluster } from "../cluster/find-cluster.js";
import { commandContext } from "../command-context.js";
import type { DataDir } from "../data-dir.js";
import type { ClusterOptions } from "../launch/cluster-options.js";
import { ENTRY_POINTS, SIMULATION_ENTRY, SUPERVISOR_ENTRY } from "../processes/entry-points.js";
import { listenForStop } from "../processes/stop-signals.js";
import { withDetachedCluster } from "./detached-cluster.js";
import { flagOf } from "./flag-of.js";
import { withHostsCluster } from "./hosts-cluster.js";
import { RecordedCluster } from "./local-cluster.js";
import { withSpawnedCluster } from "./spawned-cluster.js";

type AskedCluster = Omit<ClusterOptions, "dataDir" | "host" | "port" | "moreModels">;

/** The options that all scenarios share. */
export interface BenchOptions extends AskedCluster {
  readonly url?: string;
  readonly dataDir?: string;
  readonly spawn?: boolean;
  readonly json?: boolean;
  readonly out?: string;
}

export interface BenchRequest {
  readonly options: BenchOptions;
  /** The options that decide how a cluster is built. */
  readonly clusterFlags: readonly string[];
  /** Those given on the command line; only a cluster that is started here can obey them. */
  readonly given: readonly string[];
  readonly signal: AbortSignal;
}

/** The context, and the clusters that it has handed out. */
export type OpenBench = BenchContext & { readonly measured: readonly MeasuredCluster[] };

/** Throws INVALID_CONFIG when options contradict each other. */
export function openBench({ options, clusterFlags, given, signal }: BenchRequest): OpenBench {
  const spawns = options.spawn === true;
  checkOptions(options, given);
  const { config, dataDir } = commandContext(options.dataDir, signal);
  const measured: MeasuredCluster[] = [];
  const note = (text: string): void => console.error(text);
  const use = async <T>(
    { url, roots, clusterSecret }: Place,
    body: (target: BenchTarget) => Promise<T>,
  ): Promise<T> => {
    const target = await BenchTarget.open(url, { signal, apiKey: config.apiKey, clusterSecret, roots });
    measured.push(describeCluster(target.status));
    try {
      return await body(target);
    } finally {
      target.close();
    }
  };
  const signals = spawns ? listenForStop(() => note("Stopping. Press Ctrl-C again to kill all processes.")) : null;
  const own = { ...clusterOptionsOf(options, clusterFlags), dataDir: config.home, host: "127.0.0.1", port: 0 };
  const withBreakableCluster: BenchContext["withBreakableCluster"] = async (body, { keeps, hosts }) => {
    if (signals === null) throw ONLY_OWN;
    const request = { options: own, signals, supervisor: SUPERVISOR_ENTRY, onProgress: note, keeps };
    const why = hosts ? whyNoHosts() : null;
    if (why !== null) note(`All is on one host: ${why}.`);
    const start = hosts && why === null ? withHostsCluster : withDetachedCluster;
    return start(request, async (cluster) => {
      measured.push(...(await cluster.status()).map(describeCluster));
      return body(cluster);
    });
  };
  const withLocalCluster: BenchContext["withLocalCluster"] = async (body, how) => {
    if (signals !== null) return withBreakableCluster(body, { ...how, hosts: false });
    const cluster = await RecordedCluster.open(dataDir, { signal, apiKey: config.apiKey });
    measured.push(...(await cluster.status()).map(describeCluster));
    return body(cluster);
  };
  const withCluster: BenchContext["withCluster"] = async (body, changes) => {
    checkChanges(changes, options, given);
    if (signals !== null) {
      const asked = { ...own, ...changes };
      return withSpawnedCluster(
        { options: asked, config, entryPoints: ENTRY_POINTS, signals, onProgress: note },
        (url, spawned) => {
          return use({ url, roots: [process.pid], clusterSecret: clusterSecretOf(spawned) }, body);
        },
      );
    }
    if (changes !== undefined) throw needsSpawn(Object.keys(changes));
    return use(await findPlace(options.url, dataDir), body);
  };
  const { simulate: simulation } = options;
  const { ggmlDir, kernels } = config;
  const isWatched = process.stdout.isTTY === true;
  const context = { signal, note, isWatched, spawns, simulation, ggmlDir, kernels, simulationEntry: SIMULATION_ENTRY };
  return { ...context, withCluster, withLocalCluster, withBreakableCluster, measured };
}

/** A gateway, and the processes from which its cluster descends; null where they are unknown. */
interface Place {
  readonly url: string;
  readonly roots: readonly number[] | null;
  readonly clusterSecret: string | undefined;
}

async function findPlace(url: string | undefined, dataDir: DataDir): Promise<Place> {
  if (url !== undefined) return { url, roots: null, clusterSecret: undefined };
  const { supervisor } = (await readClusterRecord(dataDir)) ?? {};
  const roots = supervisor === undefined ? null : [process.pid, supervisor.pid];
  return { url: await urlOfCluster(dataDir), roots, clusterSecret: clusterSecretOf(dataDir) };
}

function checkOptions({ spawn, url }: BenchOptions, given: readonly string[]): void {
  if (spawn !== true && given.length > 0) throw needsSpawn(given);
  if (spawn === true && url !== undefined) {
    throw new RhoneError(
      "INVALID_CONFIG",
      "Give --spawn to start a cluster, or --url to measure a running one, not both.",
    );
  }
}

/** A setting that the scenario chooses can't be given too: it would be ignored. */
function checkChanges(changes: ClusterChanges | undefined, options: BenchOptions, given: readonly string[]): void {
  const clashes = Object.entries(changes ?? {}).filter(
    ([name, value]) => given.includes(name) && options[name as keyof ClusterChanges] !== value,
  );
  if (clashes.length === 0) return;
  const chosen = clashes.map(([name, value]) => `${flagOf(name)} ${value}`).join(", ");
  throw new RhoneError("INVALID_CONFIG", `The scenario itself chooses ${chosen}. Leave the flag out.`);
}

const needsSpawn = (names: readonly string[]): RhoneError =>
  new RhoneError(
    "INVALID_CONFIG",
    `${names.map(flagOf).join(", ")} can't change a running cluster. Add --spawn to measure a new one.`,
  );

const ONLY_OWN = new RhoneError(
  "INVALID_CONFIG",
  "This scenario kills processes, so it measures no running cluster. Add --spawn to start one for it.",
);

function clusterOptionsOf(options: BenchOptions, names: readonly string[]): AskedCluster {
  const values = Object.entries(options).filter(([name]) => names.includes(name));
  return Object.fromEntries(values) as AskedCluster;
}
