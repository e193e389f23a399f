import { z } from "zod";

const SAMPLERS = [
  "parentbased_traceidratio",
  "traceidratio",
  "parentbased_always_on",
  "always_on",
  "parentbased_always_off",
  "always_off",
] as const;

const isUrl = (text: string): boolean => /^https?:\/\//.test(text) && URL.canParse(text);

/** OpenTelemetry's own variables, as far as a service must know them; its exporter reads those of headers and TLS. */
export const tracingSettings = {
  otlpEndpoint: {
    env: "OTEL_EXPORTER_OTLP_ENDPOINT",
    schema: z.string().refine(isUrl, "is not an http:// or https:// URL").optional(),
    doc: "Collector that gets the traces, as a URL without its /v1/traces, such as http://127.0.0.1:4318.",
    defaultText: "no traces",
  },
  otlpProtocol: {
    env: "OTEL_EXPORTER_OTLP_PROTOCOL",
    schema: z.enum(["http/protobuf"]).default("http/protobuf"),
    doc: "How traces are sent: http/protobuf, which collectors take at port 4318.",
  },
  tracesSampler: {
    env: "OTEL_TRACES_SAMPLER",
    schema: z.enum(SAMPLERS).default("parentbased_traceidratio"),
    doc:
      "Which requests are traced: of OpenTelemetry's samplers, those that begin with parentbased_ do as a request's " +
      "traceparent says, and judge by themselves only requests without one.",
  },
  tracesSamplerArg: {
    env: "OTEL_TRACES_SAMPLER_ARG",
    schema: z.coerce.number().min(0).max(1).default(1),
    doc: "Share of requests that the samplers with traceidratio trace; 1 = all.",
  },
} as const;

export interface TracingConfig {
  readonly otlpEndpoint?: string | undefined;
  readonly tracesSampler: (typeof SAMPLERS)[number];
  readonly tracesSamplerArg: number;
}
