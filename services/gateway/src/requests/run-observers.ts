import type { Writer } from "../answers/writer.js";
import type { Metrics } from "../metrics.js";
import type { RunObserver } from "./run-request.js";

/** Counts the tokens of an answer, also of one that failed on the way. */
export const countTokens = (metrics: Metrics, { usage }: Pick<Writer, "usage">): void => {
  metrics.promptTokens.inc(usage.prompt_tokens);
  metrics.completionTokens.inc(usage.completion_tokens);
};

/** The metrics of a request that came over HTTP and generates: exactly one outcome, its times and its tokens. */
export function requestMetrics(metrics: Metrics, route: string, writer: Pick<Writer, "usage">): RunObserver {
  const startedAt = performance.now();
  const seconds = () => (performance.now() - startedAt) / 1000;
  let isFirst = true;
  return {
    began: () => metrics.running.inc(),
    took: () => {
      if (isFirst) metrics.firstTokenSeconds.observe(seconds());
      isFirst = false;
    },
    ended: (outcome) => {
      metrics.running.dec();
      metrics.requests.inc({ route, outcome });
      metrics.requestSeconds.observe(seconds());
      countTokens(metrics, writer);
    },
  };
}

/** A batch line counts once, when it has its result, and not each attempt; only its tokens are counted here. */
export const lineMetrics = (metrics: Metrics, writer: Pick<Writer, "usage">): RunObserver => ({
  ended: () => countTokens(metrics, writer),
});

/** A replay generates nothing: it has an outcome of its own, and neither tokens nor the times of a generation. */
export const replayMetrics = (metrics: Metrics, source: "stream" | "idempotency_key"): RunObserver => ({
  ended: (outcome) => metrics.replayed.inc({ source, outcome }),
});
