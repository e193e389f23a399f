export { median } from "./figures/percentiles.js";
export { BenchTarget } from "./measure/bench-target.js";
export type { ScenarioOption } from "./options.js";
export { describeCluster, type MeasuredCluster, reportOf } from "./report/report.js";
export type { Table } from "./report/tables.js";
export type { BenchContext, Scenario } from "./scenario.js";
export { SCENARIOS } from "./scenarios/all.js";
