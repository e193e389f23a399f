import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
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

test("before the first run there are none", async () => {
  const { root } = await freshDataDir();
  expect((await runCommand("logs", "--data-dir", root)).error).toMatchObject({
    code: "NOT_RUNNING",
    message: expect.stringMatching(/There are no logs in .*: no cluster has run yet\.$/),
  });
});
