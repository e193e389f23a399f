import { Counter, Registry } from "prom-client";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { needsIpv6 } from "../testing/ipv6.js";
import { OperationsServer } from "./operations-server.js";

const registry = new Registry();
new Counter({ name: "sample_total", help: "A counter.", registers: [registry] }).inc(3);

let server: OperationsServer;
let reason: string | null;
let status: () => unknown;

beforeEach(async () => {
  reason = null;
  status = () => ({ workers: 2 });
  server = await OperationsServer.open({
    host: "127.0.0.1",
    port: 0,
    registry,
    notReady: () => reason,
    status: () => status(),
  });
});
afterEach(() => server.close());

const get = (path: string) => fetch(`http://127.0.0.1:${server.port}${path}`);

describe("OperationsServer", () => {
  it.each([
    ["/health", 200, { status: "ok" }],
    ["/ready", 200, { status: "ready" }],
    ["/ready?verbose=1", 200, { status: "ready" }],
    ["/status", 200, { workers: 2 }],
    ["/", 404, { error: "not found" }],
    ["/metrics/", 404, { error: "not found" }],
  ])("answers GET %s with %i", async (path, code, body) => {
    const response = await get(path);
    expect(response.status).toBe(code);
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(await response.json()).toEqual(body);
  });

  it("gives the reason while the service is not ready, and is healthy all the same", async () => {
    reason = "1 of 2 workers has joined";
    const response = await get("/ready");
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({ status: "not_ready", reason });
    expect((await get("/health")).status).toBe(200);
  });

  it("shows the metrics as Prometheus reads them", async () => {
    const response = await get("/metrics");
    expect(response.headers.get("content-type")).toBe(registry.contentType);
    expect(await response.text()).toContain("# TYPE sample_total counter\nsample_total 3\n");
  });

  it("answers 500 without details when the status cannot be told, and goes on", async () => {
    status = () => {
      throw new Error("secret");
    };
    const response = await get("/status");
    expect(response.status).toBe(500);
    expect(await response.json()).toEqual({ error: "internal" });
    expect((await get("/health")).status).toBe(200);
  });

  it("says which port is in use", async () => {
    const options = { host: "127.0.0.1", port: server.port, registry, notReady: () => null, status: () => null };
    await expect(OperationsServer.open(options)).rejects.toMatchObject({ code: "PORT_IN_USE" });
  });

  it("closes while a client keeps its connection open", async () => {
    await get("/health");
    await server.close();
    await expect(get("/health")).rejects.toThrow();
  });
});

it.for(["::1", "::"])("answers at [::1] when it listens at %s", async (host, context) => {
  needsIpv6(context);
  const other = await OperationsServer.open({ host, port: 0, registry, notReady: () => null, status: () => ({}) });
  const response = await fetch(`http://[::1]:${other.port}/health`).finally(() => other.close());
  expect(response.status).toBe(200);
});
