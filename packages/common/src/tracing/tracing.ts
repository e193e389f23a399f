import type { Attributes } from "@opentelemetry/api";
import type { ErrorCode } from "../errors/error-table.js";
import { toRhoneError } from "../errors/rhone-error.js";
import type { Logger } from "../observability/logger.js";
import type { TraceCarrier } from "../queue/trace-carrier.js";

export type { Attributes as SpanAttributes } from "@opentelemetry/api";

export interface SpanOptions {
  /** "internal" when absent. */
  readonly kind?: "internal" | "server" | "client" | "consumer";
  readonly attributes?: Attributes;
  /** Spans of other traces that it has to do with. */
  readonly links?: readonly TraceCarrier[];
  /** Unix milliseconds; now when absent, and when it is to come: clocks of machines differ. */
  readonly startedAtMs?: number | undefined;
}

/** A part of a request that is being timed. It is sent when it has ended; one that never ends is never sent. */
export interface TraceSpan {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  /** By which other processes make parts of it. */
  readonly carrier: TraceCarrier;
  child(name: string, options?: SpanOptions): TraceSpan;
  set(attributes: Attributes): void;
  event(name: string, attributes?: Attributes): void;
  link(to: TraceCarrier): void;
  /** Why it failed. What is the client's own fault has the code alone: its message may repeat the request. */
  fail(error: { readonly code: ErrorCode; readonly message?: string }): void;
  end(): void;
}

export interface BeginOptions extends SpanOptions {
  /** The span above it, of another process or another time; one that can't be read is none. */
  readonly parent?: TraceCarrier | undefined;
}

/** The traces of a service. */
export interface Tracing {
  /**
   * Begins a span that no span of this process is above: a part of `parent`'s trace, or the first of a trace of its
   * own. null when the sampler leaves the trace out, which costs nothing more.
   */
  begin(name: string, options?: BeginOptions): TraceSpan | null;
  /** Sends what has ended. Resolves within 5 s. Never rejects. */
  close(): Promise<void>;
}

/** No request is traced. */
export const NO_TRACING: Tracing = { begin: () => null, close: async () => {} };

export interface TracedService {
  /** `service.name` unless OTEL_SERVICE_NAME names another. */
  readonly service: string;
  /** `service.instance.id`. */
  readonly instance: string;
  readonly logger: Logger;
}

/** Times work as a part of `span`, while there is one. */
export async function timed<T>(span: TraceSpan | null | undefined, name: string, work: () => Promise<T>): Promise<T> {
  if (span == null) return work();
  const part = span.child(name);
  try {
    return await work();
  } catch (error) {
    part.fail(toRhoneError(error));
    throw error;
  } finally {
    part.end();
  }
}
