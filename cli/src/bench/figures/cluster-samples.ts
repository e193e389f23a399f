import type { PrometheusSamples } from "./prometheus-samples.js";

/** What the processes of a cluster counted up to one moment. */
export interface ClusterSamples {
  /** All coordinators together. */
  readonly coordinators: PrometheusSamples;
  /** One each, always in the same order. */
  readonly workers: readonly PrometheusSamples[];
}
