import { RhoneError } from "../errors/rhone-error.js";

/** OpenTelemetry's SDK. */
export interface Sdk {
  readonly core: typeof import("@opentelemetry/core");
  readonly exporter: typeof import("@opentelemetry/exporter-trace-otlp-proto");
  readonly resources: typeof import("@opentelemetry/resources");
  readonly traces: typeof import("@opentelemetry/sdk-trace");
}

/** Only a process that traces needs it. Throws INVALID_CONFIG when it is not installed. */
export async function loadSdk(): Promise<Sdk> {
  try {
    const [core, exporter, resources, traces] = await Promise.all([
      import("@opentelemetry/core"),
      import("@opentelemetry/exporter-trace-otlp-proto"),
      import("@opentelemetry/resources"),
      import("@opentelemetry/sdk-trace"),
    ]);
    return { core, exporter, resources, traces };
  } catch (cause) {
    const missing = "A collector of traces is set (OTEL_EXPORTER_OTLP_*), and OpenTelemetry's SDK is not installed";
    const cure = "install this program with its optional dependencies, or set OTEL_SDK_DISABLED=true";
    throw new RhoneError("INVALID_CONFIG", `${missing}; ${cure}.`, { cause });
  }
}
