import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../testing/temporary-folder.js";
import { endLeftoverRedis, recordRedisProcess } from "./leftover-redis.js";

async function aProcess(): Promise<ChildProcess> {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  onTestFinished(() => void child.kill("SIGKILL"));
  await once(child, "spawn");
  return child;
}

test("a recorded server is ended, and its record goes", async () => {
  const folder = await temporaryFolder();
  const child = await aProcess();
  await recordRedisProcess(folder, child.pid ?? 0);
  const ended = once(child, "exit");
  await endLeftoverRedis(folder);
  expect(await ended).toEqual([null, "SIGTERM"]);
  expect(existsSync(join(folder, "redis-server.json"))).toBe(false);
});

test("another process that has the number of a recorded server by now is left alone", async () => {
  const folder = await temporaryFolder();
  const child = await aProcess();
  await writeFile(join(folder, "redis-server.json"), JSON.stringify({ pid: child.pid, startedAt: "long ago" }));
  await endLeftoverRedis(folder);
  expect([child.exitCode, child.signalCode]).toEqual([null, null]);
});

test.each(["{", '{"pid":-1,"startedAt":"x"}'])("a record that can't be read is removed: %s", async (content) => {
  const folder = await temporaryFolder();
  await writeFile(join(folder, "redis-server.json"), content);
  await endLeftoverRedis(folder);
  expect(existsSync(join(folder, "redis-server.json"))).toBe(false);
  await endLeftoverRedis(folder); // nor is there one to remove
});
