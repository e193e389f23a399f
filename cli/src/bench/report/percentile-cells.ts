import type { Percentiles } from "../figures/percentiles.js";

/** The headings of `percentileCells`. */
export const percentileHeading = (name: string): readonly string[] => [`${name} p50`, "p95", "p99 ms"];

export const percentileCells = ({ p50, p95, p99 }: Percentiles): readonly string[] =>
  [p50, p95, p99].map((ms) => ms.toFixed(1));
