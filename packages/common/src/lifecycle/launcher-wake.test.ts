import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, onTestFinished, test } from "vitest";
import { processStat } from "../machine/process-stat.js";
import { LauncherWake } from "./launcher-wake.js";

const stateOf = ({ pid = 0 }: ChildProcess) => processStat(pid)?.state;

/** A process without a terminal, as a supervisor in the background is. */
async function stoppedProcess(): Promise<ChildProcess> {
  const child = spawn(process.execPath, ["-e", "console.log('up'); setInterval(() => {}, 1e6)"], {
    detached: true,
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  await once(child.stdout, "data");
  child.kill("SIGSTOP");
  await expect.poll(() => stateOf(child)).toBe("T");
  return child;
}

describe.runIf(process.platform === "linux")("a launcher", () => {
  test("that was stopped is woken at the second look", async () => {
    const child = await stoppedProcess();
    const wake = new LauncherWake(() => child.pid ?? 0);
    wake.look();
    expect(stateOf(child)).toBe("T");
    wake.look();
    await expect.poll(() => stateOf(child)).not.toBe("T");
  });

  test("that was woken between two looks was not stopped", async () => {
    const child = await stoppedProcess();
    const wake = new LauncherWake(() => child.pid ?? 0);
    wake.look();
    child.kill("SIGCONT");
    await expect.poll(() => stateOf(child)).not.toBe("T");
    wake.look();
    child.kill("SIGSTOP");
    await expect.poll(() => stateOf(child)).toBe("T");
    wake.look();
    expect(stateOf(child)).toBe("T");
  });

  test("that is gone is nobody's business", async () => {
    const child = await stoppedProcess();
    const wake = new LauncherWake(() => child.pid ?? 0);
    wake.look();
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(() => wake.look()).not.toThrow();
  });
});
