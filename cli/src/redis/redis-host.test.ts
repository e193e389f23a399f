import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { openRedis } from "@rhone/common";
import { expect, onTestFinished, test } from "vitest";
import { childEnvironment } from "../config.js";
import { freePort } from "../processes/ports.js";
import { temporaryFolder } from "../testing/temporary-folder.js";

const HOST = fileURLToPath(new URL("../../dist/redis/redis-host.bundle.js", import.meta.url));

async function start(flags: readonly string[], password: string) {
  const folder = await temporaryFolder();
  const args = ["--data-folder", folder, "--run-folder", folder, ...flags];
  const env = childEnvironment({ RHONE_REDIS_PASSWORD: password });
  const child = fork(HOST, args, { env, execArgv: [], stdio: ["ignore", "ignore", "ignore", "ipc"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const [announcement] = await once(child, "message");
  return { child, announcement };
}

const ping = async (url: string): Promise<string> => {
  const redis = await openRedis({ url, name: "test", waits: false, onError: () => {} });
  return redis.ping().finally(() => redis.disconnect());
};

test("Valkey in WebAssembly answers who knows the password, until its host is told to stop", async () => {
  const port = await freePort();
  const { child, announcement } = await start(["--port", String(port)], "secret");
  expect(announcement).toMatchObject({ kind: "listening", addresses: { redis: `127.0.0.1:${port}` } });
  expect(await ping(`redis://:secret@127.0.0.1:${port}`)).toBe("PONG");
  await expect(ping(`redis://127.0.0.1:${port}`)).rejects.toThrow();
  child.kill("SIGTERM");
  expect(await once(child, "exit")).toEqual([0, null]);
});

test("a server program that can't be run is the host's failure", async () => {
  const { announcement } = await start(["--binary", "/nowhere/redis-server", "--port", "1"], "");
  expect(announcement).toMatchObject({
    kind: "fatal",
    code: "REDIS_UNAVAILABLE",
    message: expect.stringMatching(/^\/nowhere\/redis-server can't be started: /),
  });
});
