import { z } from "zod";
import type { ConfigOf, Settings } from "../config/load-config.js";
import { booleanSchema } from "../config/schemas.js";

const SAMPLERS = [
  "parentbased_traceidratio",
  "traceidratio",
  "parentbased_always_on",
  "always_on",
  "parentbased_always_off",
  "always_off",
] as const;

const isUrl = (text: string): boolean => /^https?:\/\//.test(text) && URL.canParse(text);
const urlSchema = z.string().refine(isUrl, "is not an http:// or https:// URL").optional();

const protocolSchema = z.enum(["http/protobuf", "http/json", "grpc"]);

/**
 * OpenTelemetry's own variables, as far as a service must know them; its exporter reads the variables for headers, for
 * timeouts and for TLS itself.
 */
export const tracingSettings = {
  otlpEndpoint: {
    env: "OTEL_EXPORTER_OTLP_ENDPOINT",
    schema: urlSchema,
    doc: "Collector that gets the traces, as a URL without its /v1/traces, such as http://127.0.0.1:4318.",
    defaultText: "no traces",
  },
  otlpTracesEndpoint: {
    env: "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    schema: urlSchema,
    doc: "The whole URL to which traces are sent, used as it is. It wins over --otlp-endpoint, and is enough alone.",
    defaultText: "--otlp-endpoint with /v1/traces",
  },
  otlpProtocol: {
    env: "OTEL_EXPORTER_OTLP_PROTOCOL",
    schema: protocolSchema.default("http/protobuf"),
    doc: "How traces are sent: http/protobuf, at port 4318 as a rule. Others are refused where traces are sent.",
  },
  otlpTracesProtocol: {
    env: "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    schema: protocolSchema.optional(),
    doc: "The same for traces alone. It wins over --otlp-protocol.",
    defaultText: "--otlp-protocol",
  },
  tracesExporter: {
    env: "OTEL_TRACES_EXPORTER",
    schema: z.enum(["otlp", "none"]).default("otlp"),
    doc: "none = send no traces, whatever the endpoint.",
  },
  otelSdkDisabled: {
    env: "OTEL_SDK_DISABLED",
    schema: booleanSchema.default(false),
    doc: "true = trace nothing, whatever the other settings.",
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
} as const satisfies Settings;

export type TracingConfig = ConfigOf<typeof tracingSettings>;
