import { existsSync } from "node:fs";
import { expect, it } from "vitest";
import { cpuOfProcesses } from "./process-cpu.js";

it.runIf(existsSync("/proc/self/stat"))("tells the CPU time of this process, which only grows", async () => {
  const own = async () => (await cpuOfProcesses())?.find(({ pid }) => pid === process.pid);
  const before = await own();
  expect(before?.name).toBe("load generator");
  expect(before?.cpuSeconds).toBeGreaterThan(0);
  expect((await own())?.cpuSeconds).toBeGreaterThanOrEqual(before?.cpuSeconds ?? 0);
});
