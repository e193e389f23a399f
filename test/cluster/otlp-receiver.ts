import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import protobuf from "protobufjs";

/** A span as a collector gets it. Ids are hexadecimal. */
export interface ReceivedSpan {
  readonly service: string;
  readonly name: string;
  readonly kind: string;
  readonly traceId: string;
  readonly spanId: string;
  /** "" for the first span of a trace. */
  readonly parentSpanId: string;
  /** Unix milliseconds. */
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly events: readonly { readonly name: string; readonly attributes: Readonly<Record<string, unknown>> }[];
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
}

const PROTOS = fileURLToPath(new URL("../../node_modules/otlp-protos/build/protos/", import.meta.url));

function exportRequest(): protobuf.Type {
  const root = new protobuf.Root();
  root.resolvePath = (_, target) => `${PROTOS}${target}`;
  root.loadSync("opentelemetry/proto/collector/trace/v1/trace_service.proto");
  return root.lookupType("opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest");
}

/** What a collector of OTLP over HTTP gets, read by OpenTelemetry's own definitions. */
export class OtlpReceiver {
  readonly url: string;
  readonly spans: ReceivedSpan[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async open(): Promise<OtlpReceiver> {
    const type = exportRequest();
    const server = createServer(async (request, response) => {
      const message = type.toObject(type.decode(await bodyOf(request)), OPTIONS) as ExportRequest;
      const isTraces = request.method === "POST" && request.url === "/v1/traces";
      if (isTraces) receiver.spans.push(...spansOf(message));
      response.writeHead(isTraces ? 200 : 404, { "content-type": "application/x-protobuf" }).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const receiver = new OtlpReceiver(server);
    return receiver;
  }

  /** The spans of a trace that have come so far, in the order of their beginnings. */
  trace(traceId: string): readonly ReceivedSpan[] {
    return this.spans.filter((span) => span.traceId === traceId).toSorted((a, b) => a.startMs - b.startMs);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

const OPTIONS = { bytes: String, enums: String, longs: String, defaults: true, arrays: true } as const;

interface KeyValue {
  readonly key: string;
  readonly value: AnyValue;
}
type AnyValue = Readonly<Record<string, unknown>> & { readonly arrayValue?: { readonly values: readonly AnyValue[] } };

interface WireSpan extends Omit<ReceivedSpan, "service" | "startMs" | "endMs" | "attributes" | "events"> {
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly KeyValue[];
  readonly events: readonly { readonly name: string; readonly attributes: readonly KeyValue[] }[];
}

interface ExportRequest {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly KeyValue[] };
    readonly scopeSpans: readonly { readonly spans: readonly WireSpan[] }[];
  }[];
}

const spansOf = ({ resourceSpans }: ExportRequest): readonly ReceivedSpan[] =>
  resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const service = String(fieldsOf(resource.attributes)["service.name"]);
    return scopeSpans.flatMap(({ spans }) => spans.map((span) => toReceived(service, span)));
  });

function toReceived(service: string, { startTimeUnixNano, endTimeUnixNano, ...span }: WireSpan): ReceivedSpan {
  return {
    ...{ service, name: span.name, kind: span.kind },
    ...{ traceId: hex(span.traceId), spanId: hex(span.spanId), parentSpanId: hex(span.parentSpanId) },
    ...{ startMs: Number(startTimeUnixNano) / 1e6, endMs: Number(endTimeUnixNano) / 1e6 },
    attributes: fieldsOf(span.attributes),
    events: span.events.map(({ name, attributes }) => ({ name, attributes: fieldsOf(attributes) })),
    links: span.links.map(({ traceId, spanId }) => ({ traceId: hex(traceId), spanId: hex(spanId) })),
  };
}

const hex = (base64: string): string => Buffer.from(base64, "base64").toString("hex");

const fieldsOf = (attributes: readonly KeyValue[]): Readonly<Record<string, unknown>> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, plainOf(value)]));

/** Whole numbers come as texts: they may have 64 bits. */
function plainOf(value: AnyValue): unknown {
  if (value.arrayValue !== undefined) return value.arrayValue.values.map(plainOf);
  if (value.intValue !== undefined) return Number(value.intValue);
  return value.stringValue ?? value.doubleValue ?? value.boolValue;
}
