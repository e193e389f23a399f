import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { expect, it, test } from "vitest";
import { CpuClock, otherCores } from "./cpu-clock.js";

it.each([
  ["nobody else", { at: 2000, machine: 13, measured: 8 }, 0],
  ["another process", { at: 2000, machine: 14.5, measured: 8 }, 0.75],
  ["ticks that round the other way", { at: 2000, machine: 12.98, measured: 8 }, 0],
])("cores of others: %s", (_, to, cores) => {
  expect(otherCores({ at: 0, machine: 10, measured: 5 }, to)).toBeCloseTo(cores, 9);
});

test("nothing is known without both readings", () => {
  expect(otherCores(null, { at: 1, machine: 1, measured: 1 })).toBeNull();
});

test.runIf(existsSync("/proc/self/stat"))("descendants count as measured", async () => {
  const clock = new CpuClock([process.pid]);
  const before = clock.read();
  const child = spawn(process.execPath, ["-e", "const t = Date.now(); while (Date.now() - t < 1e5);"]);
  const alone = new CpuClock([child.pid ?? 0]);
  try {
    await expect.poll(() => alone.read()?.measured, { timeout: 20_000 }).toBeGreaterThan(0.1);
    expect((clock.read()?.measured ?? 0) - (before?.measured ?? 0)).toBeGreaterThan(0.1);
  } finally {
    child.kill("SIGKILL");
  }
});
