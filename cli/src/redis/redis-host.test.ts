import { fork } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { openRedis, REDIS_PREFIX } from "@rhone/common";
import { expect, onTestFinished, test } from "vitest";
import { needsIpv6 } from "../../../packages/common/src/testing/ipv6.js";
import { childEnvironment } from "../config.js";
import { freePort } from "../processes/ports.js";
import { temporaryFolder } from "../testing/temporary-folder.js";

const HOST = fileURLToPath(new URL("../../dist/redis/redis-host.bundle.js", import.meta.url));

async function start(flags: readonly string[], password: string) {
  const folder = await temporaryFolder();
  const passwordFile = join(folder, "password");
  await writeFile(passwordFile, `${password}\n`);
  const args = ["--data-folder", folder, "--run-folder", folder, "--password-file", passwordFile, ...flags];
  const child = fork(HOST, args, { env: childEnvironment(), execArgv: [], stdio: ["ignore", "pipe", "pipe", "ipc"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const log = Promise.all([child.stdout, child.stderr].map((output) => text(output ?? Readable.from([]))));
  const [announcement] = await once(child, "message");
  return { child, announcement, log };
}

const ping = async (url: string): Promise<string> => {
  const redis = await openRedis({ url, name: "test", waits: false, onError: () => {} });
  return redis.ping().finally(() => redis.disconnect());
};

test("Valkey in WebAssembly answers who knows the password, until its host is told to stop", async () => {
  const port = await freePort();
  const { child, announcement, log } = await start(["--port", String(port)], "secret");
  expect(announcement).toMatchObject({ kind: "listening", addresses: { redis: `127.0.0.1:${port}` } });
  expect(await ping(`redis://:secret@127.0.0.1:${port}`)).toBe("PONG");
  await expect(ping(`redis://127.0.0.1:${port}`)).rejects.toThrow();
  child.kill("SIGTERM");
  expect(await once(child, "exit")).toEqual([0, null]);

  const [output = "", errors] = await log;
  expect(errors).toBe("");
  const lines = output
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { time: string; text?: string });
  expect(lines).toContainEqual(expect.objectContaining({ level: "info", text: "Ready to accept connections tcp" }));
  const day = 86_400_000;
  for (const { time } of lines) expect(Math.abs(Date.parse(time) - Date.now())).toBeLessThan(day);
});

test("its clients may do what Rhone needs, on Rhone's own keys, and nothing else", async () => {
  const port = await freePort();
  await start(["--port", String(port)], "secret");
  const redis = await openRedis({
    ...{ url: `redis://:secret@127.0.0.1:${port}`, name: "test", waits: false, onError: () => {} },
  });
  onTestFinished(() => redis.disconnect());
  expect(await redis.set(`${REDIS_PREFIX}:a`, "1")).toBe("OK");
  expect(await redis.publish(`${REDIS_PREFIX}:events:g`, "hi")).toBe(0);
  expect(await redis.eval("return redis.call('GET', KEYS[1])", 1, `${REDIS_PREFIX}:a`)).toBe("1");
  const refused = [
    ["SET", "other", "1"],
    ["PUBLISH", "other", "hi"],
    ["EVAL", "return redis.call('GET', 'other')", "0"],
    ["KEYS", "*"],
    ["FLUSHALL"],
    ["CONFIG", "GET", "*"],
    ["ACL", "LIST"],
    ["CLIENT", "LIST"],
    ["SHUTDOWN"],
  ] as const;
  for (const [command, ...args] of refused) {
    await expect(redis.call(command, ...args), command).rejects.toThrow(/NOPERM|permission|can't access/i);
  }
});

test("it answers at an IPv6 address", async (context) => {
  needsIpv6(context);
  const port = await freePort("::1");
  const { announcement } = await start(["--host", "::1", "--port", String(port)], "secret");
  expect(announcement).toMatchObject({ addresses: { redis: `[::1]:${port}` } });
  expect(await ping(`redis://:secret@[::1]:${port}`)).toBe("PONG");
});

test("a server program that can't be run is the host's failure", async () => {
  const { announcement } = await start(["--binary", "/nowhere/redis-server", "--port", "1"], "");
  expect(announcement).toMatchObject({
    kind: "fatal",
    code: "REDIS_UNAVAILABLE",
    message: expect.stringMatching(/^\/nowhere\/redis-server can't be started: /),
  });
});
