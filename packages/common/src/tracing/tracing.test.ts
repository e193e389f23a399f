import { createServer } from "node:http";
import { afterEach, describe, expect, it, vi } from "vitest";
import { loadConfig } from "../config/load-config.js";
import { RhoneError } from "../errors/rhone-error.js";
import type { Logger } from "../observability/logger.js";
import { memoryTracing, treeOf } from "../testing/memory-tracing.js";
import { openTracing } from "./open-tracing.js";
import { NO_TRACING, type Tracing, timed } from "./tracing.js";
import { tracingSettings } from "./tracing-settings.js";

const PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7";
const sampled = { traceparent: `${PARENT}-01` };
const unsampled = { traceparent: `${PARENT}-00` };

let opened: Tracing = NO_TRACING;
async function memory(env: Readonly<Record<string, string>> = {}) {
  const traces = await memoryTracing(env);
  opened = traces.tracing;
  return traces;
}
afterEach(() => opened.close());

describe("which traces are made", () => {
  it.each([
    ["all, without settings", {}, undefined, true],
    ["none of no share", { OTEL_TRACES_SAMPLER_ARG: "0" }, undefined, false],
    ["a caller's, of no share", { OTEL_TRACES_SAMPLER_ARG: "0" }, sampled, true],
    ["none that a caller does not trace", {}, unsampled, false],
    ["a caller's that it does not trace, when asked for", { OTEL_TRACES_SAMPLER: "always_on" }, unsampled, true],
    [
      "by share alone, when asked for",
      { OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "0" },
      sampled,
      false,
    ],
    ["none, when asked for", { OTEL_TRACES_SAMPLER: "always_off" }, sampled, false],
    ["one of its own behind a parent that is none", {}, { traceparent: "nonsense" }, true],
  ])("%s", async (_, env, parent, isTraced) => {
    const { tracing } = await memory(env);
    expect(tracing.begin("request", { parent }) !== null).toBe(isTraced);
  });

  it("a share of them", async () => {
    const { tracing } = await memory({ OTEL_TRACES_SAMPLER_ARG: "0.25" });
    const traced = Array.from({ length: 4000 }, () => tracing.begin("request")).filter((span) => span !== null);
    expect(traced.length / 4000).toBeGreaterThan(0.2);
    expect(traced.length / 4000).toBeLessThan(0.3);
  });
});

describe("a span", () => {
  it("is a part of its caller's trace, and other processes make parts of it", async () => {
    const { tracing, spans } = await memory();
    const above = tracing.begin("gateway", { parent: { ...sampled, tracestate: "a=1" } });
    expect(above?.carrier).toEqual({
      traceparent: `00-4bf92f3577b34da6a3ce929d0e0e4736-${above?.spanId}-01`,
      tracestate: "a=1",
    });
    const below = tracing.begin("coordinator", { parent: above?.carrier });
    below?.child("decode").end();
    below?.end();
    above?.end();
    expect(treeOf(spans())).toEqual(["gateway", "  coordinator", "    decode"]);
    expect(new Set(spans().map(({ traceId }) => traceId))).toEqual(new Set(["4bf92f3577b34da6a3ce929d0e0e4736"]));
  });

  it("keeps what it is told", async () => {
    const { tracing, spans } = await memory();
    const other = tracing.begin("batch");
    const span = tracing.begin("line", { links: [sampled], attributes: { a: 1 } });
    if (other !== null) span?.link(other.carrier);
    span?.set({ b: [1, 2] });
    span?.event("retry", { c: "x" });
    span?.end();
    expect(spans()).toMatchObject([
      {
        attributes: { a: 1, b: [1, 2] },
        events: [{ name: "retry", attributes: { c: "x" } }],
        links: ["00f067aa0ba902b7", other?.spanId],
        hasFailed: false,
      },
    ]);
  });

  it.each([
    [new RhoneError("WORKER_LOST", "Worker w was lost."), true],
    [new RhoneError("INVALID_REQUEST", "secret words"), false],
    [new RhoneError("CANCELLED", "The client left."), false],
  ])("has failed unless it is the client's own doing: $code", async (error, hasFailed) => {
    const { tracing, spans } = await memory();
    const span = tracing.begin("request");
    span?.fail(error);
    span?.end();
    expect(spans()).toMatchObject([{ attributes: { "error.type": error.code }, hasFailed }]);
    expect(JSON.stringify(spans())).not.toContain("secret");
  });

  it("may have begun before, but not later", async () => {
    const { tracing, spans } = await memory();
    for (const ms of [-5000, 5000]) tracing.begin("queue", { startedAtMs: Date.now() + ms })?.end();
    const [before, later] = spans().map(({ ms }) => ms);
    expect(before).toBeGreaterThanOrEqual(5000);
    expect(later).toBeLessThan(5000);
  });

  it("times work, also work that fails", async () => {
    const { tracing, spans } = await memory();
    const span = tracing.begin("request");
    expect(await timed(span, "tokenize", async () => 7)).toBe(7);
    const failing = timed(span, "admit", () => Promise.reject(new RhoneError("REDIS_UNAVAILABLE", "Redis is away.")));
    await expect(failing).rejects.toMatchObject({ code: "REDIS_UNAVAILABLE" });
    expect(spans()).toMatchObject([
      { name: "tokenize", hasFailed: false },
      { name: "admit", hasFailed: true },
    ]);
    expect(await timed(null, "tokenize", async () => 8)).toBe(8);
  });
});

describe("opening traces", () => {
  const service = (logger: unknown = {}) => ({ service: "gateway", instance: "g1", logger: logger as Logger });
  const config = (env: Readonly<Record<string, string>>) => loadConfig(tracingSettings, env, []);

  it("without a collector loads nothing and traces nothing", async () => {
    const tracing = await openTracing(config({}), service());
    expect(tracing).toBe(NO_TRACING);
    expect(tracing.begin("request")).toBeNull();
    await tracing.close();
  });

  it.each([
    ["OTEL_EXPORTER_OTLP_ENDPOINT", "127.0.0.1:4318"],
    ["OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"],
    ["OTEL_TRACES_SAMPLER", "often"],
    ["OTEL_TRACES_SAMPLER_ARG", "2"],
  ])("refuses %s=%s", (name, value) => {
    expect(() => config({ [name]: value })).toThrow(`${name}=${value} is`);
  });

  it("sends the spans that have ended as it closes, and tells the log of a collector that refuses them", async () => {
    const paths: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      paths.push(`${request.url} ${request.headers["content-type"]}`);
      request.resume();
      response.writeHead(400).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { readonly port: number };
    const logger = { warn: vi.fn() };
    opened = await openTracing(config({ OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}/` }), service(logger));
    opened.begin("request")?.end();
    await opened.close();
    opened = NO_TRACING;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    expect(paths).toEqual(["/v1/traces application/x-protobuf"]);
    expect(logger.warn).toHaveBeenCalled();
  });
});
