import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, onTestFinished, test } from "vitest";
import { processStat } from "./process-stat.js";

describe.runIf(process.platform === "linux")("a process", () => {
  test("says who started it and when, whatever it is called", async () => {
    const script = 'process.title = "a) T 1 2"; console.log("up"); setInterval(() => {}, 1e6)';
    const child = spawn(process.execPath, ["-e", script], { detached: true, stdio: ["ignore", "pipe", "inherit"] });
    onTestFinished(() => void child.kill("SIGKILL"));
    await once(child.stdout, "data");
    const stat = processStat(child.pid ?? 0);
    expect(stat).toMatchObject({ parent: process.pid, hasTerminal: false, startedAt: expect.stringMatching(/^\d+$/) });
    expect(stat?.state).not.toBe("T");
    expect(Number(stat?.startedAt)).toBeGreaterThanOrEqual(Number(processStat(process.pid)?.startedAt));
  });

  test("that is stopped says so, and one that is gone nothing", async () => {
    const child = spawn("sleep", ["1000"]);
    onTestFinished(() => void child.kill("SIGKILL"));
    await once(child, "spawn");
    child.kill("SIGSTOP");
    await expect.poll(() => processStat(child.pid ?? 0)?.state).toBe("T");
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(processStat(child.pid ?? 0)).toBeNull();
  });
});
