import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { childEnvironment } from "./config.js";
import { freshDataDir } from "./testing/recorded-cluster.js";

const MAIN = fileURLToPath(new URL("../dist/main.js", import.meta.url));

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function rhone(...args: readonly string[]): Promise<Ended> {
  const { root } = await freshDataDir();
  const env = childEnvironment({ RHONE_HOME: root, REDIS_URL: undefined });
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, ...args], { env }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === "number" ? error.code : 0, stdout, stderr });
    });
  });
}

test.each([
  ["help is a success", ["--help"], 0, /^Usage: rhone/, /^$/],
  ["so is the version", ["--version"], 0, /^\d+\.\d+\.\d+\n$/, /^$/],
  ["wrong usage is 2", ["serve"], 2, /^$/, /^error: unknown command 'serve'\n.*--help/],
  ["so are wrong settings", ["plan", "--model", "breeze", "--running"], 2, /^$/, /^✗ INVALID_CONFIG\n/],
  ["no cluster is 3", ["status"], 3, /^$/, /^✗ NOT_RUNNING\n {2}No cluster .*\n {2}Start a cluster with: rhone up\n$/],
  ["other failures are 1", ["up", "--model", "nothing"], 1, /^$/, /^✗ MODEL_NOT_FOUND\n/],
])("%s", async (_, args, code, stdout, stderr) => {
  const ended = await rhone(...args);
  expect(ended.code).toBe(code);
  expect(ended.stdout).toMatch(stdout);
  expect(ended.stderr).toMatch(stderr);
});
