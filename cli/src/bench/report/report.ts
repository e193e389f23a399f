import type { BenchOptions, OpenBench } from "../open-bench.js";
import type { ScenarioResult } from "../scenario.js";
import type { MeasuredCluster } from "./describe-cluster.js";
import { describeHardware, type Hardware } from "./hardware.js";
import { sourceVersion } from "./source-version.js";

/** What `--json` prints and `--out` writes. */
export interface Report {
  readonly scenario: string;
  readonly at: string;
  /** Of Rhone. */
  readonly commit: string | null;
  readonly hardware: Hardware;
  readonly clusters: readonly MeasuredCluster[];
  /** The options as they were in force. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly result: unknown;
}

/** Where things were is left out: addresses, directories. */
export async function reportOf(
  scenario: string,
  { url: _url, dataDir: _dataDir, out: _out, json: _json, model: _model, ...options }: BenchOptions,
  { context, result }: { readonly context: OpenBench; readonly result: ScenarioResult },
): Promise<Report> {
  return {
    scenario,
    at: new Date().toISOString(),
    commit: await sourceVersion(),
    hardware: describeHardware(),
    clusters: context.measured,
    options: { ...options },
    result: result.figures,
  };
}
