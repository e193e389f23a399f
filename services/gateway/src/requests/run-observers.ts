import type { Metrics } from "../metrics.js";
import { type MeteredRequest, RequestMeter } from "./request-meter.js";
import type { Outcome, RunObserver } from "./run-request.js";

const reasonOf = (outcome: Outcome) => (outcome === "ok" ? "ok" : outcome === "cancelled" ? "abort" : "error");

/** The metrics of a request that came over HTTP and generates: exactly one outcome, its times and its tokens. */
export function requestMetrics(metrics: Metrics, route: string, request: MeteredRequest): RunObserver {
  const meter = new RequestMeter({ ...request, metrics, isTimed: true });
  const { labels } = meter;
  return {
    began: () => metrics.running.inc(labels),
    took: (event) => meter.took(event),
    ended: (outcome) => {
      metrics.running.dec(labels);
      metrics.requests.inc({ ...labels, route, outcome });
      metrics.requestSeconds.observe(labels, meter.seconds);
      meter.ended(reasonOf(outcome));
    },
  };
}

/**
 * A batch line counts once, when it has its result, and not each attempt; here its tokens, lengths and times in the
 * cluster are counted, also of one that failed on the way.
 */
export function lineMetrics(metrics: Metrics, request: MeteredRequest): RunObserver {
  const meter = new RequestMeter({ ...request, metrics, isTimed: false });
  return { took: (event) => meter.took(event), ended: (outcome) => meter.ended(reasonOf(outcome)) };
}

/** A replay generates nothing: it has an outcome of its own, and neither tokens nor the times of a generation. */
export const replayMetrics = (metrics: Metrics, source: "stream" | "idempotency_key"): RunObserver => ({
  ended: (outcome) => metrics.replayed.inc({ source, outcome }),
});
