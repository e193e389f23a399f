import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request as httpsRequest } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Counter, Registry } from "prom-client";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { loadConfig } from "../config/load-config.js";
import { RhoneError } from "../errors/rhone-error.js";
import { openSecurity, type Security } from "../security/security.js";
import { securitySettings } from "../security/security-settings.js";
import { needsIpv6 } from "../testing/ipv6.js";
import { PLAINTEXT } from "../testing/plaintext.js";
import { TestAuthority } from "../testing/test-authority.js";
import { askOperations } from "./ask-operations.js";
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
    security: PLAINTEXT,
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

  it("runs a command on POST, and answers with what it resolves with or its error", async () => {
    const asked: string[] = [];
    const commands = {
      "/drain": async (query: URLSearchParams) => {
        asked.push(query.get("worker") ?? "");
        if (asked.length > 1) throw new RhoneError("NOT_FOUND", "No worker b.");
        return { going: "drained" };
      },
    };
    const options = { host: "127.0.0.1", port: 0, security: PLAINTEXT, registry, notReady: () => null };
    const other = await OperationsServer.open({ ...options, status: () => null, commands });
    onTestFinished(() => other.close());
    const post = async (path: string) => {
      const response = await fetch(`http://127.0.0.1:${other.port}${path}`, { method: "POST" });
      return [response.status, await response.json()];
    };
    expect(await post("/drain?worker=a%20b")).toEqual([200, { going: "drained" }]);
    const error = { code: "NOT_FOUND", message: "No worker b." };
    expect(await post("/drain?worker=b")).toEqual([404, { error }]);
    expect(await post("/toString")).toEqual([404, { error: "not found" }]);
    expect((await fetch(`http://127.0.0.1:${other.port}/drain`)).status).toBe(404);
    expect(asked).toEqual(["a b", "b"]);
  });

  it("says which port is in use", async () => {
    const options = {
      host: "127.0.0.1",
      port: server.port,
      security: PLAINTEXT,
      registry,
      notReady: () => null,
      status: () => null,
    };
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
  const other = await OperationsServer.open({
    host,
    port: 0,
    security: PLAINTEXT,
    registry,
    notReady: () => null,
    status: () => ({}),
  });
  const response = await fetch(`http://[::1]:${other.port}/health`).finally(() => other.close());
  expect(response.status).toBe(200);
});

/** The codes and bodies of the paths, as `asking` sees them; /metrics by its code alone. */
async function look(security: Security, asking: Security) {
  const notReady = () => "not joined to 10.0.0.1:7100";
  const options = { host: "127.0.0.1", port: 0, security, registry, notReady, status: () => ({ workers: 2 }) };
  const other = await OperationsServer.open(options);
  onTestFinished(() => other.close());
  const ask = async (path: string) => {
    const signal = AbortSignal.timeout(5000);
    const { code, body } = await askOperations(`127.0.0.1:${other.port}`, path, { security: asking, signal });
    return path === "/metrics" ? code : [code, JSON.parse(body)];
  };
  return Promise.all(["/health", "/ready", "/status", "/metrics"].map(ask));
}

const ALIVE = [200, { status: "ok" }];
const REASON = [503, { status: "not_ready", reason: "not joined to 10.0.0.1:7100" }];
const NO_REASON = [503, { status: "not_ready" }];
const STATUS = [200, { workers: 2 }];
const FORBIDDEN = [403, { error: expect.stringMatching(/^only for those who/) }];

it("shows states and reasons only to those who know the secret", async () => {
  const folder = mkdtempSync(join(tmpdir(), "rhone-operations-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "secret");
  writeFileSync(path, "s".repeat(43));
  const security = openSecurity(loadConfig(securitySettings, { RHONE_CLUSTER_SECRET_FILE: path }, []));
  expect(await look(security, security)).toEqual([ALIVE, REASON, STATUS, 200]);
  expect(await look(security, PLAINTEXT)).toEqual([ALIVE, NO_REASON, FORBIDDEN, 200]);
});

it("with TLS, shows all to coordinators and operators, and others only whether it lives and is ready", async () => {
  const authority = new TestAuthority();
  onTestFinished(() => authority.close());
  const openAs = (role: "coordinator" | "operator" | "worker", cluster?: string): Security => {
    const security = openSecurity(authority.issue({ role, name: "a", ...(cluster && { cluster }) }));
    onTestFinished(() => security.close());
    return security;
  };
  const security = openAs("coordinator");
  expect(await look(security, security)).toEqual([ALIVE, REASON, STATUS, 200]);
  expect(await look(security, openAs("operator"))).toEqual([ALIVE, REASON, STATUS, 200]);
  expect(await look(security, openAs("worker"))).toEqual([ALIVE, NO_REASON, FORBIDDEN, 403]);
  await expect(look(security, openAs("operator", "rhone-other"))).rejects.toThrow(/of rhone-test, not of rhone-other/);
  await expect(look(security, PLAINTEXT)).rejects.toThrow();
});

describe("a token of metrics", () => {
  async function withToken(token: string) {
    const authority = new TestAuthority();
    onTestFinished(() => authority.close());
    const metricsTokenFile = join(authority.folder, "token");
    writeFileSync(metricsTokenFile, `${token}\n`);
    const security = openSecurity(authority.issue({ role: "worker", name: "a" }));
    onTestFinished(() => security.close());
    const about = { registry, notReady: () => "not joined", status: () => ({ workers: 2 }) };
    const other = await OperationsServer.open({ host: "127.0.0.1", port: 0, security, metricsTokenFile, ...about });
    onTestFinished(() => other.close());
    return (path: string, authorization?: string) =>
      new Promise<number | undefined>((resolve, reject) => {
        const headers = authorization === undefined ? {} : { authorization };
        const options = { port: other.port, path, headers, rejectUnauthorized: false, agent: false as const };
        const asking = httpsRequest(options, (response) => {
          response.resume();
          resolve(response.statusCode);
        });
        asking.once("error", reject).end();
      });
  }

  it("shows metrics to its bearer, without a certificate, and nothing else", async () => {
    const token = "m".repeat(32);
    const ask = await withToken(token);
    expect(await ask("/metrics", `Bearer ${token}`)).toBe(200);
    for (const wrong of [undefined, `Bearer ${token}m`, `Basic ${token}`])
      expect(await ask("/metrics", wrong)).toBe(403);
    expect(await ask("/status", `Bearer ${token}`)).toBe(403);
  });

  it("can't be short", async () => {
    await expect(withToken("m".repeat(31))).rejects.toMatchObject({
      code: "INVALID_CONFIG",
      message: expect.stringMatching(/has 31 characters; it needs at least 32/),
    });
  });
});

it("does not listen for other machines without TLS", async () => {
  const folder = mkdtempSync(join(tmpdir(), "rhone-operations-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "secret"), "s".repeat(43));
  const withSecret = openSecurity({
    ...PLAINTEXT.config,
    allowPlaintext: false,
    clusterSecretFile: join(folder, "secret"),
  });
  const options = {
    host: "0.0.0.0",
    port: 0,
    security: withSecret,
    registry,
    notReady: () => null,
    status: () => ({}),
  };
  await expect(OperationsServer.open(options)).rejects.toMatchObject({ code: "INVALID_CONFIG" });
});
