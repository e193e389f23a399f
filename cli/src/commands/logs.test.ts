import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { freshDataDir } from "../testing/recorded-cluster.js";
import { runCommand } from "../testing/run-command.js";
import { logFiles } from "./logs.js";

async function logsOf(...names: readonly string[]): Promise<string> {
  const { logs } = await freshDataDir();
  for (const name of names) await writeFile(join(logs, name), "");
  return logs;
}

test("all logs of the last run, or those that are asked for, in their order", async () => {
  const logs = await logsOf("gateway.log", "worker-1.log", "gateway.log.1");
  expect(await logFiles(logs, [])).toEqual([join(logs, "gateway.log"), join(logs, "worker-1.log")]);
  expect(await logFiles(logs, ["worker-1"])).toEqual([join(logs, "worker-1.log")]);
});

test("a log that does not exist is refused with those that do", async () => {
  const logs = await logsOf("gateway.log", "redis.log");
  await expect(logFiles(logs, ["gateway", "gatway", "x"])).rejects.toMatchObject({
    code: "INVALID_REQUEST",
    message: "There is no log of gatway, x. There are logs of gateway, redis.",
  });
});

test("the last lines of all logs come in the order of their times, as JSON where they are piped", async () => {
  const { root, logs } = await freshDataDir();
  const at = (second: number, msg: string) => JSON.stringify({ time: `2026-11-26T19:00:0${second}.000Z`, msg });
  const [old, first, second, third] = [at(0, "old"), at(1, "a"), at(2, "b"), at(3, "c")];
  await writeFile(join(logs, "gateway.log"), `${old}\n${first}\n${third}\n`);
  await writeFile(join(logs, "worker-1.log"), `${second}\n`);
  expect((await runCommand("logs", "--data-dir", root, "-n", "2")).stdout).toBe(`${first}\n${second}\n${third}\n`);
});

test("they are readable on a terminal, and JSON there too where asked", async () => {
  const { root, logs } = await freshDataDir();
  const line = JSON.stringify({ level: "info", time: "2026-11-26T19:00:01.000Z", msg: "listening", port: 80 });
  await writeFile(join(logs, "gateway.log"), `${line}\n`);
  vi.stubEnv("NO_COLOR", "1");
  const isTTY = process.stdout.isTTY;
  onTestFinished(() => {
    process.stdout.isTTY = isTTY;
    vi.unstubAllEnvs();
  });
  process.stdout.isTTY = true;
  const readable = await runCommand("logs", "gateway", "--data-dir", root);
  expect(readable.stdout).toBe("19:00:01.000  gateway  info   listening  port=80\n");
  expect((await runCommand("logs", "gateway", "--data-dir", root, "--json")).stdout).toBe(`${line}\n`);
});

test("before the first run there are none", async () => {
  const { root } = await freshDataDir();
  expect((await runCommand("logs", "--data-dir", root)).error).toMatchObject({
    code: "NOT_RUNNING",
    message: expect.stringMatching(/There are no logs in .*: no cluster has run yet\.$/),
  });
});
