import { NO_TRACING, type RhoneError, type TraceSpan, type Tracing } from "@rhone/common";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { needsNoBody, operationOf } from "./openapi/operations.js";

declare module "fastify" {
  interface FastifyRequest {
    /** Of the whole request; null: it is not traced. */
    span: TraceSpan | null;
    /** From the request's admission until its body is parsed. */
    parsing: TraceSpan | null;
    /** Why it was refused, or failed before its answer began; null while neither is so. */
    failure: RhoneError | null;
  }
}

/**
 * Begins a span for each request, as a part of its caller's trace when it has a traceparent, and ends it when the
 * answer is sent or breaks off. Health, metrics and the status are left out.
 */
export function traceRequests(app: FastifyInstance, { tracing }: { readonly tracing: Tracing }): void {
  app.decorateRequest("span", null);
  app.decorateRequest("parsing", null);
  app.decorateRequest("failure", null);
  if (tracing === NO_TRACING) return;
  app.addHook("onRequest", async (request, reply) => {
    if (operationOf(request)?.tag !== "operations") request.span = spanOf(tracing, request);
    if (request.span !== null) endWithAnswer(request.span, request, reply);
  });
  app.addHook("preParsing", async (request) => {
    if (!needsNoBody(operationOf(request))) request.parsing = request.span?.child("parse") ?? null;
  });
  app.addHook("preHandler", async (request) => endParsing(request));
}

function spanOf(tracing: Tracing, { id, method, url, headers, routeOptions }: FastifyRequest): TraceSpan | null {
  const { traceparent, tracestate } = headers;
  const parent =
    typeof traceparent === "string"
      ? { traceparent, ...(typeof tracestate === "string" && { tracestate }) }
      : undefined;
  const route = routeOptions.url;
  const attributes = {
    "http.request.method": method,
    "url.scheme": "http",
    "url.path": url.split("?", 1)[0] ?? "",
    ...(route !== undefined && { "http.route": route }),
    "rhone.http_request": id,
  };
  const name = route === undefined ? method : `${method} ${route}`;
  return tracing.begin(name, { kind: "server", parent, attributes });
}

function endParsing(request: FastifyRequest): void {
  request.parsing?.end();
  request.parsing = null;
}

function endWithAnswer(span: TraceSpan, request: FastifyRequest, { raw }: FastifyReply): void {
  raw.once("close", () => {
    endParsing(request);
    if (raw.headersSent) span.set({ "http.response.status_code": raw.statusCode });
    if (!raw.writableFinished) span.event("client left");
    if (request.failure !== null) span.fail(request.failure);
    span.end();
  });
}

/** By which a line of the log, and a trace, name the request that they are about. */
export const namesOf = ({ id, span }: Pick<FastifyRequest, "id" | "span">) => ({
  httpRequest: id,
  ...(span !== null && { trace_id: span.traceId, span_id: span.spanId }),
});
