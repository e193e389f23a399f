import { readFileSync } from "node:fs";
import { createServer, type IncomingHttpHeaders, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { loadConfig } from "../config/load-config.js";
import type { Logger } from "../observability/logger.js";
import { TestAuthority } from "../testing/test-authority.js";
import { openTracing } from "./open-tracing.js";
import { NO_TRACING } from "./tracing.js";
import { tracingSettings } from "./tracing-settings.js";

type Env = Readonly<Record<string, string>>;

const config = (env: Env) => loadConfig(tracingSettings, env, []);
const opened = (env: Env, logger: unknown = { warn: vi.fn() }) =>
  openTracing(config(env), { service: "gateway", instance: "g1", logger: logger as Logger });

afterEach(() => {
  vi.unstubAllEnvs();
});

/** A collector that answers each request with `status`; with `tls`, behind a certificate. */
async function collector({ status = 200, tls }: { readonly status?: number; readonly tls?: object } = {}) {
  const got: { readonly path: string | undefined; readonly headers: IncomingHttpHeaders }[] = [];
  const listener: RequestListener = (request, response) => {
    got.push({ path: request.url, headers: request.headers });
    request.resume();
    response.writeHead(status).end();
  };
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  return { got, url: `http${tls === undefined ? "" : "s"}://localhost:${port}` };
}

/** Traces one request with these settings, the process's environment among them, as the exporter reads that. */
async function traceOne(env: Env, logger?: unknown): Promise<void> {
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  const tracing = await opened(env, logger);
  tracing.begin("request")?.end();
  await tracing.close();
}

describe("where traces go", () => {
  it.each<[string, Env]>([
    ["no collector", {}],
    ["an exporter and no collector", { OTEL_TRACES_EXPORTER: "otlp" }],
    ["the SDK disabled", { OTEL_SDK_DISABLED: "TRUE", OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1" }],
    ["no exporter", { OTEL_TRACES_EXPORTER: "none", OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://127.0.0.1:1" }],
    // Set for all programs of a machine, most of which speak it.
    ["a protocol for others", { OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" }],
  ])("with %s nothing is loaded and nothing traced", async (_, env) => {
    const tracing = await opened(env);
    expect(tracing).toBe(NO_TRACING);
    expect(tracing.begin("request")).toBeNull();
    await tracing.close();
  });

  it.each<[string, (url: string) => Env, string]>([
    ["the endpoint of all signals", (url) => ({ OTEL_EXPORTER_OTLP_ENDPOINT: `${url}/` }), "/v1/traces"],
    ["one below a path", (url) => ({ OTEL_EXPORTER_OTLP_ENDPOINT: `${url}/otlp` }), "/otlp/v1/traces"],
    ["the endpoint of traces alone", (url) => ({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${url}/mine` }), "/mine"],
    ["one without a path", (url) => ({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: url }), "/"],
    [
      "the endpoint of traces before the other",
      (url) => ({
        OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1",
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${url}/mine`,
        OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
        OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: "http/protobuf",
      }),
      "/mine",
    ],
  ])("they go to %s", async (_, env, path) => {
    const { got, url } = await collector();
    await traceOne(env(url));
    expect(got.map((each) => [each.path, each.headers["content-type"]])).toEqual([[path, "application/x-protobuf"]]);
  });

  it("with the headers of all signals and of traces", async () => {
    const { got, url } = await collector();
    await traceOne({
      OTEL_EXPORTER_OTLP_ENDPOINT: url,
      OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20all,x-tenant=a",
      OTEL_EXPORTER_OTLP_TRACES_HEADERS: "authorization=Bearer%20traces",
    });
    expect(got[0]?.headers).toMatchObject({ authorization: "Bearer traces", "x-tenant": "a" });
  });

  it("for no longer than the timeout of traces", async () => {
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => {
      silent.closeAllConnections();
      silent.close();
    });
    const warn = vi.fn();
    const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_EXPORTER_OTLP_TIMEOUT: "3600000" };
    await traceOne({ ...env, OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: "50" }, { warn });
    expect(warn.mock.calls.map(([{ err, text }]) => String(err ?? text)).join()).toContain("Request timed out");
  });

  it("to a collector behind TLS, by the authority of its certificate alone", async () => {
    const authority = new TestAuthority();
    onTestFinished(() => authority.close());
    const { tlsCa = "", tlsCert = "", tlsKey = "" } = authority.issue({ role: "operator", name: "collector" });
    const { got, url } = await collector({ tls: { cert: readFileSync(tlsCert), key: readFileSync(tlsKey) } });
    await traceOne({ OTEL_EXPORTER_OTLP_ENDPOINT: url });
    expect(got).toEqual([]);
    await traceOne({ OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE: tlsCa });
    expect(got.map(({ path }) => path)).toEqual(["/v1/traces"]);
  });

  it("and the log is told of a collector that refuses them", async () => {
    const { got, url } = await collector({ status: 400 });
    const logger = { warn: vi.fn() };
    await traceOne({ OTEL_EXPORTER_OTLP_ENDPOINT: url }, logger);
    expect(got).toHaveLength(1);
    expect(logger.warn).toHaveBeenCalled();
  });
});

describe("settings of traces", () => {
  it.each([
    ["OTEL_EXPORTER_OTLP_ENDPOINT", "127.0.0.1:4318"],
    ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "collector"],
    ["OTEL_EXPORTER_OTLP_PROTOCOL", "carrier-pigeon"],
    ["OTEL_TRACES_EXPORTER", "zipkin"],
    ["OTEL_SDK_DISABLED", "perhaps"],
    ["OTEL_TRACES_SAMPLER", "often"],
    ["OTEL_TRACES_SAMPLER_ARG", "2"],
  ])("refuse %s=%s", (name, value) => {
    expect(() => config({ [name]: value })).toThrow(`${name}=${value} is`);
  });

  it.each<[string, Env]>([
    ["OTEL_EXPORTER_OTLP_PROTOCOL is grpc;", { OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" }],
    ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL is http/json;", { OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: "http/json" }],
  ])("where traces are sent, %s is refused with what to do", async (problem, env) => {
    const opening = opened({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1", ...env });
    await expect(opening).rejects.toMatchObject({
      code: "INVALID_CONFIG",
      message: expect.stringMatching(new RegExp(`^${problem} .*http/protobuf`)),
    });
  });
});
