import { fork } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { childEnvironment } from "../config.js";
import { freshDataDir } from "../testing/recorded-cluster.js";
import type { ProgressEvent } from "./progress.js";

const SUPERVISOR = fileURLToPath(new URL("../../dist/cluster/supervisor-main.bundle.js", import.meta.url));

async function supervise(options: object) {
  const dataDir = await freshDataDir();
  const argument = JSON.stringify({ dataDir: dataDir.root, ...options });
  const env = childEnvironment({ REDIS_URL: undefined, PATH: "" });
  const child = fork(SUPERVISOR, [argument], { env, execArgv: [], stdio: ["ignore", "pipe", "pipe", "ipc"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const events: ProgressEvent[] = [];
  child.on("message", (event: ProgressEvent) => events.push(event));
  let log = "";
  child.stdout?.on("data", (text) => (log += String(text)));
  const [code] = await once(child, "close");
  return { code, events, log, dataDir };
}

const OPTIONS = { model: "breeze", host: "127.0.0.1", port: 0, kvType: "f16" };

test("a cluster that can't start is told to the command line, to the log and to the next command", async () => {
  const { code, events, log, dataDir } = await supervise({ ...OPTIONS, workers: 99 });
  expect(code).toBe(1);
  const failure = { code: "INVALID_CONFIG", message: "99 workers can't share 32 layers. Set --workers to 32 or less." };
  expect(events.at(-1)).toEqual({ kind: "failed", ...failure });
  expect(JSON.parse(log.trim().split("\n").at(-1) ?? "")).toMatchObject({
    ...{ level: "error", service: "supervisor", pid: expect.any(Number), time: expect.stringMatching(/Z$/) },
    ...{ code: failure.code, err: { message: failure.message }, msg: "cluster failed" },
  });
  await expect(readFile(dataDir.clusterFile)).rejects.toMatchObject({ code: "ENOENT" });
}, 30_000);

test("options that are none are refused", async () => {
  const { code, events } = await supervise({ ...OPTIONS, port: "eighty" });
  expect([code, events.at(-1)?.kind]).toEqual([1, "failed"]);
}, 30_000);
