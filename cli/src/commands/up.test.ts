import { writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { freshDataDir, recordedCluster } from "../testing/recorded-cluster.js";
import { runCommand } from "../testing/run-command.js";

test("a model that is not there ends `up` before anything starts", async () => {
  const { root } = await freshDataDir();
  const { stdout, error } = await runCommand("up", "--model", "nothing.gguf", "--port", "0", "--data-dir", root);
  expect(error).toMatchObject({ code: "MODEL_NOT_FOUND" });
  expect(stdout).toBe("");
});

test("models are given one by one", async () => {
  const { root } = await freshDataDir();
  const place = ["--port", "0", "--data-dir", root];
  const twice = await runCommand("up", "--model", "breeze", "--model", "breeze", ...place);
  expect(twice.error).toMatchObject({
    code: "INVALID_CONFIG",
    message: expect.stringMatching(/^Two models are called/),
  });
  const missing = await runCommand("up", "--model", "breeze", "--model", "nothing.gguf", ...place);
  expect(missing.error).toMatchObject({ code: "MODEL_NOT_FOUND" });
});

test("a second cluster in a data directory is refused", async () => {
  const { root } = await recordedCluster({ url: "http://127.0.0.1:8080" });
  const { error } = await runCommand("up", "--port", "0", "--data-dir", root);
  expect(error).toMatchObject({
    code: "ALREADY_RUNNING",
    message: expect.stringMatching(/already serving breeze at http:\/\/127\.0\.0\.1:8080/),
  });
});

test("`down` fails where nothing is running", async () => {
  const { root } = await freshDataDir();
  const { error } = await runCommand("down", "--data-dir", root);
  expect(error).toMatchObject({ code: "NOT_RUNNING", message: `No cluster is running in ${root}.` });
});

test.each([
  [[], "The cluster had crashed; its remaining processes were ended.\n"],
  [["--json"], expect.stringMatching(/^\{"dataDir":".+","outcome":"crashed"\}\n$/)],
])("`down` clears up after a crash, and says so with %j", async (flags, said) => {
  const dataDir = await freshDataDir();
  const supervisor = { name: "supervisor", pid: process.pid, startedAt: "long ago" };
  const about = { state: "ready", startedAtMs: 0, url: "u", model: "m", redis: "", services: [] };
  await writeFile(dataDir.clusterFile, JSON.stringify({ supervisor, ...about }));
  const { stdout } = await runCommand("down", ...flags, "--data-dir", dataDir.root);
  expect(stdout).toEqual(said);
});
