import { loadSdk } from "./load-sdk.js";
import { OtlpTracing } from "./otlp-tracing.js";
import { NO_TRACING, type TracedService, type Tracing } from "./tracing.js";
import type { TracingConfig } from "./tracing-settings.js";

/** Traces that a collector gets, where one is named. Throws INVALID_CONFIG without OpenTelemetry's SDK. */
export async function openTracing(config: TracingConfig, service: TracedService): Promise<Tracing> {
  const { otlpEndpoint } = config;
  if (otlpEndpoint === undefined) return NO_TRACING;
  return OtlpTracing.open(await loadSdk(), { ...config, ...service, otlpEndpoint });
}
