import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";

const SCRIPT = fileURLToPath(new URL("../../deploy/watch-redis.sh", import.meta.url));

/** The script over programs that stand in for Redis' own: a server that sleeps, and a client that does `answers`. */
function watched(answers: string) {
  const folder = mkdtempSync(join(tmpdir(), "rhone-watch-"));
  const program = (name: string, body: string): void => {
    writeFileSync(join(folder, name), `#!/bin/sh\n${body}\n`);
    chmodSync(join(folder, name), 0o755);
  };
  program(
    "redis-server",
    `trap 'exit 0' TERM; trap 'touch ${folder}/woken' CONT; echo "$@" > ${folder}/args; while :; do sleep 0.1; done`,
  );
  program("redis-cli", answers);
  const env = { PATH: `${folder}:${process.env.PATH}`, RHONE_HUNG_AFTER: "4" };
  const child = spawn("sh", [SCRIPT, "--appendonly", "yes"], { env, stdio: ["ignore", "ignore", "pipe"] });
  onTestFinished(() => {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });
  let complaint = "";
  child.stderr.on("data", (text) => {
    complaint += text;
  });
  return { child, folder, complaint: () => complaint, exited: once(child, "exit").then(([code]) => code) };
}

test("a Redis that answers no ping is killed, and the container's main process ends", async () => {
  const { exited, complaint } = watched("exec sleep 60");
  expect(await exited).toBe(137);
  expect(complaint()).toContain("redis-server has answered no ping for 4 s; it is killed");
});

test("a Redis that was stopped is woken", async () => {
  const { child, folder, exited } = watched('[ -e "$(dirname "$0")/woken" ]');
  await expect.poll(() => existsSync(join(folder, "woken")), { timeout: 10_000 }).toBe(true);
  child.kill("SIGTERM");
  expect(await exited).toBe(0);
});

test("a server that answers runs until the script is stopped", async () => {
  const { child, folder, exited } = watched("echo PONG");
  await expect.poll(() => existsSync(join(folder, "args")), { timeout: 10_000 }).toBe(true);
  child.kill("SIGTERM");
  expect(await exited).toBe(0);
});
