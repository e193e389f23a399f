import {
  type Attributes,
  type Context,
  DiagLogLevel,
  diag,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapPropagator,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import type { SpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { ERROR_TABLE, type ErrorCode } from "../errors/error-table.js";
import type { Logger } from "../observability/logger.js";
import type { TraceCarrier } from "../queue/trace-carrier.js";
import type { Sdk } from "./load-sdk.js";
import { samplerOf } from "./sampler-of.js";
import type { BeginOptions, SpanOptions, TracedService, TraceSpan, Tracing } from "./tracing.js";
import type { TracingConfig } from "./tracing-settings.js";

/** Spans that wait to be sent; further ones are dropped, and the log tells how many. */
const MOST_WAITING = 8192;
/** Characters of an attribute: a path may have thousands. */
const LONGEST_TEXT = 1024;
const SEND_MS = 1000;
/** Longest that a process which ends waits for its last traces; the exporter goes on trying for longer. */
const LAST_SEND_MS = 5000;

const KINDS: Readonly<Record<NonNullable<SpanOptions["kind"]>, SpanKind>> = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  consumer: SpanKind.CONSUMER,
};

export interface OtlpOptions extends TracingConfig, TracedService {
  /** Where a collector takes traces. */
  readonly url: string;
  /** Takes the spans that have ended; default: sends them to the collector. */
  readonly processor?: SpanProcessor;
}

/** Traces by OpenTelemetry's SDK, nothing of which is global but its warnings. */
export class OtlpTracing implements Tracing {
  readonly #provider: TracerProvider;
  readonly #spans: Spans;
  readonly #logger: Logger;

  private constructor(provider: TracerProvider, spans: Spans, logger: Logger) {
    this.#provider = provider;
    this.#spans = spans;
    this.#logger = logger;
  }

  static open(sdk: Sdk, options: OtlpOptions): Tracing {
    const { service, instance, logger } = options;
    const { core, resources, traces } = sdk;
    tellWarnings(logger);
    const { defaultResource, detectResources, envDetector, resourceFromAttributes } = resources;
    const named = resourceFromAttributes({ "service.name": `rhone-${service}`, "service.instance.id": instance });
    const provider = new traces.TracerProvider({
      sampler: samplerOf(traces, options),
      spanLimits: { attributeValueLengthLimit: LONGEST_TEXT },
      resource: defaultResource()
        .merge(named)
        .merge(detectResources({ detectors: [envDetector] })),
      spanProcessors: [options.processor ?? sender(sdk, options)],
    });
    const spans = new Spans(provider.getTracer("rhone"), new core.W3CTraceContextPropagator());
    return new OtlpTracing(provider, spans, logger);
  }

  begin(name: string, { parent, ...options }: BeginOptions = {}): TraceSpan | null {
    const span = this.#spans.start(name, options, this.#spans.read(parent));
    return span.isRecording() ? new OtlpSpan(this.#spans, span) : null;
  }

  async close(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, LAST_SEND_MS);
    });
    const sent = this.#provider.shutdown();
    await Promise.race([sent, late]).catch((err: unknown) => this.#logger.warn({ err }, "last traces not sent"));
    clearTimeout(timer);
    diag.disable();
  }
}

/** Headers, the longest time for sending, compression and TLS are the exporter's, which reads their variables. */
function sender({ exporter: { OTLPTraceExporter }, traces }: Sdk, { url }: OtlpOptions): SpanProcessor {
  const exporter = new OTLPTraceExporter({ url });
  return new traces.BatchSpanProcessor({ exporter, maxQueueSize: MOST_WAITING, scheduledDelayMillis: SEND_MS });
}

/** Makes spans, and reads and writes who they are. */
class Spans {
  readonly #tracer: Tracer;
  readonly #propagator: TextMapPropagator;

  constructor(tracer: Tracer, propagator: TextMapPropagator) {
    this.#tracer = tracer;
    this.#propagator = propagator;
  }

  start(name: string, { kind = "internal", attributes = {}, links = [], startedAtMs }: SpanOptions, above: Context) {
    const startTime = startedAtMs === undefined ? {} : { startTime: Math.min(startedAtMs, Date.now()) };
    const linked = links.flatMap((carrier) => this.linkTo(carrier));
    return this.#tracer.startSpan(name, { kind: KINDS[kind], attributes, links: linked, ...startTime }, above);
  }

  read(carrier: Partial<TraceCarrier> | undefined): Context {
    return carrier === undefined ? ROOT_CONTEXT : this.#propagator.extract(ROOT_CONTEXT, carrier, GETTER);
  }

  write(context: Context): TraceCarrier {
    const carrier = { traceparent: "" };
    this.#propagator.inject(context, carrier, SETTER);
    return carrier;
  }

  linkTo(carrier: TraceCarrier) {
    const context = trace.getSpanContext(this.read(carrier));
    return context === undefined ? [] : [{ context }];
  }
}

const GETTER = {
  get: (carrier: Partial<TraceCarrier>, key: string) => carrier[key as keyof TraceCarrier],
  keys: (carrier: Partial<TraceCarrier>) => Object.keys(carrier),
};
const SETTER = { set: (carrier: object, key: string, value: string) => void Object.assign(carrier, { [key]: value }) };

class OtlpSpan implements TraceSpan {
  readonly #spans: Spans;
  readonly #span: Span;
  readonly #context: Context;

  constructor(spans: Spans, span: Span) {
    this.#spans = spans;
    this.#span = span;
    this.#context = trace.setSpan(ROOT_CONTEXT, span);
  }

  get traceId(): string {
    return this.#span.spanContext().traceId;
  }

  get spanId(): string {
    return this.#span.spanContext().spanId;
  }

  get carrier(): TraceCarrier {
    return this.#spans.write(this.#context);
  }

  child(name: string, options: SpanOptions = {}): TraceSpan {
    return new OtlpSpan(this.#spans, this.#spans.start(name, options, this.#context));
  }

  set(attributes: Attributes): void {
    this.#span.setAttributes(attributes);
  }

  event(name: string, attributes: Attributes = {}): void {
    this.#span.addEvent(name, attributes);
  }

  link(to: TraceCarrier): void {
    for (const link of this.#spans.linkTo(to)) this.#span.addLink(link);
  }

  fail({ code, message = code }: { readonly code: ErrorCode; readonly message?: string }): void {
    this.#span.setAttribute("error.type", code);
    if (ERROR_TABLE[code].http >= 500) this.#span.setStatus({ code: SpanStatusCode.ERROR, message });
  }

  end(): void {
    this.#span.end();
  }
}

/** What the SDK warns of, such as a collector that is not there, is told in the log. */
function tellWarnings(logger: Logger): void {
  const tell = (text: string): void => logger.warn({ text }, "warning of OpenTelemetry");
  const quiet = (): void => {};
  const sink = { error: tell, warn: tell, info: quiet, debug: quiet, verbose: quiet };
  diag.setLogger(sink, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
}
