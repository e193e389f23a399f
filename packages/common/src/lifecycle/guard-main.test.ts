import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { importBuilt, SERVICE_FILES } from "../testing/import-built.js";

const GUARD = fileURLToPath(new URL("../../dist/lifecycle/guard-main.js", import.meta.url));
const SETTINGS = "{ logLevel: common.logLevelSetting, hungAfter: common.hungAfterSetting }";
const PATIENCE = { timeout: 20_000, interval: 20 };

/**
 * A guard, and a service under it that logs "up" with its process id and then does `more`. The guard is the one that
 * looks whether its event loop turns.
 */
async function guarded(more = "") {
  const folder = await mkdtemp(join(tmpdir(), "rhone-guard-"));
  const entry = join(folder, "service.mjs");
  await writeFile(
    entry,
    `${importBuilt(SERVICE_FILES)}
    await common.serviceMain({ service: "guarded", settings: ${SETTINGS} }, async (config, { logger, shutdown }) => {
      setInterval(() => {}, 1000);
      shutdown.add("all", () => logger.info("closed"));
      logger.info({ level: config.logLevel }, "up");
      ${more}
    });`,
  );
  const env = { ...process.env, RHONE_HUNG_AFTER: "2" };
  const args = [GUARD, entry, "--log-level", "info", "--hung-after", "600"];
  const guard = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(guard, "exit").then(([code]) => code);
  onTestFinished(async () => {
    guard.kill("SIGKILL");
    await rm(folder, { recursive: true, force: true });
  });
  let output = "";
  guard.stdout.on("data", (text) => {
    output += text;
  });
  const log = () => output.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line)]));
  const pidOfService = async (): Promise<number> => {
    await expect.poll(() => log()[0]?.pid, PATIENCE).toBeGreaterThan(0);
    return log()[0].pid;
  };
  return { guard, exited, log, pidOfService };
}

describe("a guard", { timeout: 30_000 }, () => {
  it("passes SIGTERM on, and ends when the service has", async () => {
    const { guard, exited, log, pidOfService } = await guarded();
    await pidOfService();
    guard.kill("SIGTERM");
    expect(await exited).toBe(0);
    expect(log().map(({ msg }) => msg)).toEqual(["up", "shutting down", "closed"]);
  });

  it("has the allocator give back what threads freed", async () => {
    const { log } = await guarded("logger.info({ arenas: process.env.MALLOC_ARENA_MAX });");
    await expect.poll(() => log()[1]?.arenas, PATIENCE).toBe("2");
  });

  it("ends with the exit code of a service that fails", async () => {
    const { exited } = await guarded("setTimeout(() => process.exit(7), 10);");
    expect(await exited).toBe(7);
  });

  it("wakes a service that was stopped", async () => {
    const { log } = await guarded(
      "process.on('SIGCONT', () => logger.info('woken')); setTimeout(() => process.kill(process.pid, 'SIGSTOP'), 100);",
    );
    await expect.poll(() => log().map(({ msg }) => msg), PATIENCE).toContain("woken");
  });

  it("kills a service that hangs, says so, and ends with 137", async () => {
    const { exited, log, pidOfService } = await guarded("setTimeout(() => { for (;;); }, 1500);");
    const childPid = await pidOfService();
    expect(await exited).toBe(137);
    const problem = "hung: its event loop did not turn for 2 s";
    expect(log().at(-1)).toMatchObject({ level: "fatal", service: "guard", childPid, problem });
    expect(() => process.kill(childPid, 0)).toThrow("ESRCH");
  });

  it("takes its service with it when it is killed itself", async () => {
    const { guard, pidOfService } = await guarded();
    const pid = await pidOfService();
    guard.kill("SIGKILL");
    const isGone = () => {
      try {
        return !process.kill(pid, 0);
      } catch {
        return true;
      }
    };
    await expect.poll(isGone, PATIENCE).toBe(true);
  });
});
