import { RhoneError } from "../errors/rhone-error.js";
import type { TracingConfig } from "./tracing-settings.js";

/**
 * Where traces are sent, as OpenTelemetry's specification reads its variables; null: nowhere, also where no collector
 * is named. Throws INVALID_CONFIG for a protocol that is not spoken here.
 */
export function tracesUrl(config: TracingConfig): string | null {
  const { otelSdkDisabled, tracesExporter, otlpEndpoint, otlpTracesEndpoint } = config;
  if (otelSdkDisabled || tracesExporter === "none") return null;
  const url = otlpTracesEndpoint ?? (otlpEndpoint && `${otlpEndpoint.replace(/\/$/, "")}/v1/traces`);
  if (url === undefined) return null;
  checkProtocol(config);
  return url;
}

function checkProtocol({ otlpProtocol, otlpTracesProtocol }: TracingConfig): void {
  const protocol = otlpTracesProtocol ?? otlpProtocol;
  if (protocol === "http/protobuf") return;
  const variable = `OTEL_EXPORTER_OTLP_${otlpTracesProtocol === undefined ? "" : "TRACES_"}PROTOCOL`;
  const cure = "Set it to http/protobuf, with the collector's port for HTTP, which is 4318 as a rule";
  throw new RhoneError(
    "INVALID_CONFIG",
    `${variable} is ${protocol}; traces can be sent by http/protobuf alone. ${cure}, or OTEL_TRACES_EXPORTER to none.`,
  );
}
