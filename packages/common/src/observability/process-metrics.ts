import { collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { VERSION } from "../version.js";
import { type Delays, EventLoopDelay } from "./event-loop-delay.js";

/** Metrics of our own that every process has. */
export const processRegistry = new Registry();
/** Node's, once the process runs as a service. */
const nodeRegistry = new Registry();

/** A turn counts as long above this: two streams' worth of the usual gap between tokens. */
export const LONG_TURN_MS = 200;

export const longTurnSeconds = new Histogram({
  name: "rhone_event_loop_long_turn_seconds",
  help: `Turns of the event loop that took more than ${LONG_TURN_MS} ms; the log says what ran in each.`,
  buckets: [0.5, 1, 2, 5, 10, 30],
  registers: [processRegistry],
});

new Gauge({
  name: "rhone_build_info",
  help: "1, with the release of Rhone and the version of Node that run.",
  labelNames: ["version", "node"] as const,
  registers: [processRegistry],
}).set({ version: VERSION, node: process.version }, 1);

/** Node's metrics are read at most this often: its open files are a folder, its memory a file. */
const NODE_FRESH_MS = 1000;

const DELAYS: readonly (keyof Delays)[] = ["min", "max", "mean", "stddev", "p50", "p90", "p99"];
const NEVER_MS = 3_600_000;

/** Node's `process_*` and `nodejs_*`, the event loop's delay in the last 30 to 60 s among them. Once per process. */
export function collectNodeMetrics(): void {
  // prom-client's own delays are those since somebody read them: of two readers each would take the other's away.
  collectDefaultMetrics({ register: nodeRegistry, eventLoopMonitoringPrecision: NEVER_MS });
  const delay = new EventLoopDelay();
  for (const statistic of DELAYS) {
    const name = `nodejs_eventloop_lag_${statistic}_seconds`;
    nodeRegistry.removeSingleMetric(name);
    new Gauge({
      name,
      help: `The event loop's delay in the last 30 to 60 s: ${statistic}.`,
      registers: [nodeRegistry],
      collect() {
        this.set(delay.delays[statistic]);
      },
    });
  }
}

let nodePage: Promise<string> = Promise.resolve("");
let readAtMs = Number.NEGATIVE_INFINITY;

function nodeMetrics(): Promise<string> {
  const now = performance.now();
  if (now - readAtMs < NODE_FRESH_MS) return nodePage;
  readAtMs = now;
  nodePage = nodeRegistry.metrics();
  return nodePage;
}

/** The metrics of every process and of the service, in Prometheus' text format. */
export async function metricsPage(registry: Registry): Promise<string> {
  const pages = await Promise.all([registry.metrics(), processRegistry.metrics(), nodeMetrics()]);
  return pages.join("\n");
}
