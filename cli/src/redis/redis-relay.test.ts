import { createHash, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { createLogger, openRedis, openSecurity } from "@rhone/common";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { TestAuthority, type TestLeaf } from "../../../packages/common/src/testing/test-authority.js";
import { startValkey, type TestValkey } from "../../../packages/common/src/testing/valkey.js";
import { RedisRelay } from "./redis-relay.js";

const GATEWAY: TestLeaf = { role: "gateway", name: "g" };
const PASSWORD = "p@ss:word/";

let valkey: TestValkey;
let authority: TestAuthority;
beforeAll(async () => {
  valkey = await startValkey();
  authority = new TestAuthority();
  const redis = await openRedis({ url: valkey.url, name: "test", waits: false, onError: () => {} });
  await redis.config("SET", "requirepass", PASSWORD);
  redis.disconnect();
});
afterAll(async () => {
  await valkey.stop();
  authority.close();
});

async function open(redisUrl = valkey.url.replace("//", `//:${encodeURIComponent(PASSWORD)}@`)) {
  const tlsRevoked = join(authority.folder, "revoked");
  writeFileSync(tlsRevoked, "");
  const security = openSecurity({ ...authority.issue({ role: "coordinator", name: "a" }), tlsRevoked });
  const logger = createLogger({ service: "test", level: "silent" });
  const relay = await RedisRelay.open({ host: "127.0.0.1", port: 0, security, redisUrl, logger });
  onTestFinished(async () => {
    await relay.close();
    security.close();
  });
  return { relay, url: `rhone://127.0.0.1:${relay.port}` };
}

async function connectAs(leaf: TestLeaf, url: string, by = authority) {
  const redis = await openRedis({ url, files: by.issue(leaf), name: "test", waits: false, onError: () => {} });
  onTestFinished(() => redis.disconnect());
  return redis;
}

test.each<TestLeaf["role"]>(["gateway", "coordinator"])("a %s uses Redis without its password", async (role) => {
  const { url } = await open();
  const redis = await connectAs({ role, name: "other" }, url);
  const value = "x".repeat(300_000);
  await redis.set(`relayed:${role}`, value);
  expect(await redis.get(`relayed:${role}`)).toBe(value);
  const second = redis.duplicate();
  onTestFinished(() => second.disconnect());
  expect(await second.ping()).toBe("PONG");
});

test.each<[string, TestLeaf]>([
  ["a worker", { role: "worker", name: "w" }],
  ["an operator", { role: "operator", name: "o" }],
  ["a gateway of another cluster", { ...GATEWAY, cluster: "rhone-other" }],
  ["a gateway whose certificate has expired", { ...GATEWAY, days: -1 }],
])("%s is refused", async (_, leaf) => {
  const { url } = await open();
  await expect(connectAs(leaf, url)).rejects.toMatchObject({ code: expect.stringMatching(/REDIS_UNAV|INVALID_CONF/) });
});

test("a gateway of a foreign authority is refused", async () => {
  const other = new TestAuthority();
  onTestFinished(() => other.close());
  const { url } = await open();
  await expect(connectAs(GATEWAY, url, other)).rejects.toMatchObject({ code: "REDIS_UNAVAILABLE" });
});

test("who shows no certificate gets nothing", async () => {
  const { relay } = await open();
  const socket = connect(relay.port, "127.0.0.1");
  socket.on("error", () => {});
  const received: Buffer[] = [];
  socket.on("data", (data) => received.push(data));
  socket.end("PING\r\n");
  await once(socket, "close");
  expect(Buffer.concat(received).toString("latin1")).not.toContain("PONG");
});

test("a worker's certificate does not play Redis", async () => {
  const security = openSecurity(authority.issue({ role: "worker", name: "evil" }));
  const asked: string[] = [];
  const impostor = createTlsServer({ ...security.identity?.context }, (socket) => {
    socket.on("error", () => {});
    socket.on("data", (data) => asked.push(data.toString()));
  });
  impostor.listen(0, "127.0.0.1");
  await once(impostor, "listening");
  onTestFinished(() => {
    impostor.close();
    security.close();
  });
  const url = `rhone://127.0.0.1:${(impostor.address() as AddressInfo).port}`;
  const message = expect.stringMatching(/the server's certificate is of worker evil .*, not of a coordinator/);
  await expect(connectAs(GATEWAY, url)).rejects.toMatchObject({ code: "REDIS_UNAVAILABLE", message });
  expect(asked).toEqual([]);
});

test("a client that is expelled is let go, and does not come back", async () => {
  const { url } = await open();
  const redis = await connectAs(GATEWAY, url);
  const ended = once(redis, "close");
  const certificate = readFileSync(join(authority.folder, "gateway-g", "cert.pem"));
  const key = new X509Certificate(certificate).publicKey.export({ type: "spki", format: "der" });
  writeFileSync(join(authority.folder, "revoked"), createHash("sha256").update(key).digest("hex"));
  await ended;
  await expect(redis.ping()).rejects.toThrow();
  const other = await connectAs({ role: "gateway", name: "other" }, url);
  expect(await other.ping()).toBe("PONG");
});

test("clients are let go while Redis is away, or does not take the password", async () => {
  const wrong = await open(valkey.url.replace("//", "//:wrong@"));
  await expect(connectAs(GATEWAY, wrong.url)).rejects.toMatchObject({ code: "REDIS_UNAVAILABLE" });
  const away = await open("unix:///nowhere/redis.sock");
  await expect(connectAs(GATEWAY, away.url)).rejects.toMatchObject({ code: "REDIS_UNAVAILABLE" });
});
