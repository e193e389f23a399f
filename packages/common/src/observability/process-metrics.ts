import { collectDefaultMetrics, Histogram, Registry } from "prom-client";

/** Metrics that every process has. Node's own are in it once the process runs as a service: `collectNodeMetrics`. */
export const processRegistry = new Registry();

/** A turn counts as long above this: two streams' worth of the usual gap between tokens. */
export const LONG_TURN_MS = 200;

export const longTurnSeconds = new Histogram({
  name: "rhone_event_loop_long_turn_seconds",
  help: `Turns of the event loop that took more than ${LONG_TURN_MS} ms; the log says what ran in each.`,
  buckets: [0.5, 1, 2, 5, 10, 30],
  registers: [processRegistry],
});

/** How often the event loop's delay is read; every 10 ms, as by default, costs 0.3 % of a core. */
const PRECISION_MS = 20;

/** Node's `process_*` and `nodejs_*`, event-loop delay since the last scrape among them. Once per process. */
export function collectNodeMetrics(): void {
  collectDefaultMetrics({ register: processRegistry, eventLoopMonitoringPrecision: PRECISION_MS });
}

/** The metrics of every process and of the service, in Prometheus' text format. */
export async function metricsPage(registry: Registry): Promise<string> {
  return `${await registry.metrics()}\n${await processRegistry.metrics()}`;
}
