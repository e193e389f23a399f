import type { Command } from "commander";
import type { ClusterOptions } from "../cluster/cluster-options.js";
import type { CliConfig } from "../config.js";
import type { BenchTarget } from "./bench-target.js";

/** What a scenario is given. */
export interface BenchContext {
  readonly config: CliConfig;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  /** A line for whoever waits; not part of the result. */
  readonly note: (text: string) => void;
  /** Whether clusters are started for the bench (--spawn). */
  readonly spawns: boolean;
  /**
   * Runs `body` against the cluster of --url or the data directory, or, with --spawn, against one that is started for it and
   * stopped whatever happens. `changes` go before the command line's cluster options. Throws INVALID_CONFIG for changes to a
   * cluster that was not started here.
   */
  readonly withCluster: <T>(body: (target: BenchTarget) => Promise<T>, changes?: Partial<ClusterOptions>) => Promise<T>;
}

export interface ScenarioResult {
  /** Plain data: `result` of the JSON. */
  readonly figures: unknown;
  /** For people. */
  readonly text: string;
}

/** One `rhone bench NAME`. */
export interface Scenario<Options = never> {
  readonly name: string;
  readonly description: string;
  /** Adds the scenario's own options. */
  readonly configure: (command: Command) => Command;
  /** `options`: what commander read, the scenario's own and the common ones. */
  readonly run: (context: BenchContext, options: Options) => Promise<ScenarioResult>;
}
