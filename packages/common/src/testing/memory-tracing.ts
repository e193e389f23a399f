import { SpanStatusCode } from "@opentelemetry/api";
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor } from "@opentelemetry/sdk-trace";
import { loadConfig } from "../config/load-config.js";
import { createLogger } from "../observability/logger.js";
import { loadSdk } from "../tracing/load-sdk.js";
import { OtlpTracing } from "../tracing/otlp-tracing.js";
import type { Tracing } from "../tracing/tracing.js";
import { tracingSettings } from "../tracing/tracing-settings.js";

export interface EndedSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  /** undefined: no span is above it. */
  readonly parent: string | undefined;
  readonly attributes: ReadableSpan["attributes"];
  readonly events: readonly { readonly name: string; readonly attributes: ReadableSpan["attributes"] }[];
  /** Ids of the spans that it is linked to. */
  readonly links: readonly string[];
  readonly hasFailed: boolean;
  readonly ms: number;
}

/** Traces by the real SDK that are kept in memory. `env`: settings; all requests are traced without them. */
export async function memoryTracing(env: Readonly<Record<string, string>> = {}) {
  const exporter = new InMemorySpanExporter();
  const config = loadConfig(tracingSettings, { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1", ...env }, []);
  const logger = createLogger({ service: "test", level: "silent" });
  const tracing: Tracing = OtlpTracing.open(await loadSdk(), {
    ...config,
    url: "",
    service: "test",
    instance: "t1",
    logger,
    processor: new SimpleSpanProcessor({ exporter }),
  });
  /** Those that have ended so far, in the order in which they did. */
  const spans = (): readonly EndedSpan[] => exporter.getFinishedSpans().map(toEndedSpan);
  return { tracing, spans };
}

function toEndedSpan(span: ReadableSpan): EndedSpan {
  const { name, attributes, events, links, status, duration } = span;
  const { traceId, spanId } = span.spanContext();
  return {
    ...{ name, traceId, spanId, parent: span.parentSpanContext?.spanId, attributes },
    events: events.map((event) => ({ name: event.name, attributes: event.attributes ?? {} })),
    links: links.map(({ context }) => context.spanId),
    hasFailed: status.code === SpanStatusCode.ERROR,
    ms: duration[0] * 1000 + duration[1] / 1e6,
  };
}

/** The names of spans as a tree, each as deep as it is below others: "a", "  b". By their order of end. */
export function treeOf(spans: readonly EndedSpan[], above?: string, depth = 0): readonly string[] {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const isRoot = ({ parent }: EndedSpan): boolean => parent === undefined || !ids.has(parent);
  return spans
    .filter((span) => (above === undefined ? isRoot(span) : span.parent === above))
    .flatMap((span) => [`${"  ".repeat(depth)}${span.name}`, ...treeOf(spans, span.spanId, depth + 1)]);
}
