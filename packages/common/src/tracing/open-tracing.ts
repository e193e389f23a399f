import { loadSdk } from "./load-sdk.js";
import { OtlpTracing } from "./otlp-tracing.js";
import { tracesUrl } from "./traces-url.js";
import { NO_TRACING, type TracedService, type Tracing } from "./tracing.js";
import type { TracingConfig } from "./tracing-settings.js";

/**
 * Traces that a collector gets, where one is named. Throws INVALID_CONFIG without OpenTelemetry's SDK, and for a
 * protocol that is not spoken here.
 */
export async function openTracing(config: TracingConfig, service: TracedService): Promise<Tracing> {
  const url = tracesUrl(config);
  return url === null ? NO_TRACING : OtlpTracing.open(await loadSdk(), { ...config, ...service, url });
}
