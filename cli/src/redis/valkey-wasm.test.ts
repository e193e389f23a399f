import { openRedis } from "@rhone/common";
import { expect, test } from "vitest";
import { needsIpv6 } from "../../../packages/common/src/testing/ipv6.js";
import { freePort } from "../processes/ports.js";
import { startValkeyWasm } from "./valkey-wasm.js";

const host = "127.0.0.1";
const connect = (port: number) =>
  openRedis({ url: `redis://${host}:${port}`, name: "test", waits: false, onError: () => {} });

test("it keeps streams and runs scripts, as the queue needs, and is gone after its stop", async () => {
  const port = await freePort();
  const lines: string[] = [];
  const stop = await startValkeyWasm({ host, port }, (line) => lines.push(line));
  expect(lines.at(-1)).toMatch(/\* Ready to accept connections tcp$/);
  const redis = await connect(port);
  await redis.xadd("log", "1-1", "token", "5");
  expect(await redis.xlen("log")).toBe(1);
  expect(await redis.eval("return redis.call('XLEN', KEYS[1]) + ARGV[1]", 1, "log", 2)).toBe(3);
  redis.disconnect();
  await stop();
  await expect(connect(port)).rejects.toThrow();
});

test("it answers at an IPv6 address", async (context) => {
  needsIpv6(context);
  const port = await freePort("::1");
  const stop = await startValkeyWasm({ host: "::1", port }, () => {});
  const redis = await openRedis({ url: `redis://[::1]:${port}`, name: "test", waits: false, onError: () => {} });
  expect(await redis.ping()).toBe("PONG");
  redis.disconnect();
  await stop();
});

test("other servers of this process keep Nagle's algorithm as they had it", async () => {
  const { createServer } = await import("node:net");
  const before = createServer;
  const stop = await startValkeyWasm({ host, port: await freePort() }, () => {});
  const { createServer: after } = await import("node:net");
  expect(after).toBe(before);
  await stop();
});
