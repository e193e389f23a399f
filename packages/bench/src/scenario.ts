import type { KernelChoice } from "@rhone/common";
import type { BreakableCluster, LocalCluster } from "./chaos/local-cluster.js";
import type { BenchTarget } from "./measure/bench-target.js";
import type { ScenarioOptions, ValuesOf } from "./options.js";
import type { Table } from "./report/tables.js";

/** What the command line gives a scenario besides its options. */
export interface BenchContext {
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  /** Shows a line of progress; it is not part of the result. */
  readonly note: (text: string) => void;
  /** Whether a person watches the results come: standard output is a terminal. */
  readonly isWatched: boolean;
  /** Whether the bench starts clusters of its own (--spawn). */
  readonly spawns: boolean;
  /** The simulation that --simulate asks for. */
  readonly simulation: string | undefined;
  /** llama.cpp's libraries, instead of the installed ones. */
  readonly ggmlDir: string | undefined;
  /** Which of Rhone's own kernels to measure. */
  readonly kernels: KernelChoice;
  /** JavaScript file of the coordinator's simulation on a virtual clock. */
  readonly simulationEntry: string;
  /**
   * Runs `body` against the cluster of --url or the data directory, or, with --spawn, against one that is started for
   * it and always stopped. `changes` override the command line's cluster options. Throws INVALID_CONFIG for changes to
   * a cluster that was not started here.
   */
  readonly withCluster: <T>(body: (target: BenchTarget) => Promise<T>, changes?: ClusterChanges) => Promise<T>;
  /**
   * Runs `body` against the cluster of the data directory, or, with --spawn, against one that is started for it with a
   * supervisor of its own and always stopped. `keeps`: as below.
   */
  readonly withLocalCluster: <T>(
    body: (cluster: LocalCluster) => Promise<T>,
    options: { readonly keeps: boolean },
  ) => Promise<T>;
  /**
   * Runs `body` against a cluster that is started for it with a supervisor of its own, whose processes it may kill, and
   * always stopped. Throws INVALID_CONFIG without --spawn. `keeps`: its data directory is left, and named. `hosts`: it
   * is spread over hosts of their own; without network namespaces it is on this one.
   */
  readonly withBreakableCluster: <T>(
    body: (cluster: BreakableCluster) => Promise<T>,
    options: { readonly keeps: boolean; readonly hosts: boolean },
  ) => Promise<T>;
}

/** Settings with which a scenario starts its clusters, named as the flags of `rhone up`. */
export interface ClusterChanges {
  readonly workers?: number;
  readonly simulate?: string;
  readonly speculate?: number;
  /** Where its processes send traces. */
  readonly otlpEndpoint?: string;
  /** The share of requests that it traces. */
  readonly tracesSamplerArg?: number;
}

export interface ScenarioResult {
  /** Plain data: `result` of the JSON report. */
  readonly figures: unknown;
  /** For people: tables, and lines between them. */
  readonly report: readonly (Table | string)[];
  /** Whether what was measured exceeds a bar: the command fails. */
  readonly fails?: boolean;
}

export interface Example {
  readonly flags: string;
  readonly about: string;
}

/** One `rhone bench NAME`. */
export interface Scenario<Options extends ScenarioOptions = ScenarioOptions> {
  readonly name: string;
  readonly description: string;
  /** For its help: flags after `rhone bench NAME`, and what they measure. */
  readonly examples: readonly Example[];
  readonly options: Options;
  /**
   * Which clusters it measures: a running one or one that is started for it ("any", the default), the same on this
   * machine alone ("local"), only those that are started for it ("own"), or none. The command line offers no flags of
   * clusters that it never measures.
   */
  readonly clusters?: "any" | "local" | "own" | "none";
  // A method, so that a scenario with options of its own is still a Scenario; `ValuesOf` holds what `options` declare.
  run(context: BenchContext, options: ValuesOf<Options>): Promise<ScenarioResult>;
}

/** Lets `run` see the types of `options`. */
export const defineScenario = <const Options extends ScenarioOptions>(scenario: Scenario<Options>): Scenario<Options> =>
  scenario;
