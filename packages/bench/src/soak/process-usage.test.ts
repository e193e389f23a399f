import { expect, test } from "vitest";
import { parseStatus, usageOf } from "./process-usage.js";

test("resident memory and threads are in proc(5)'s status", () => {
  const status = "Name:\tnode\nVmHWM:\t  900000 kB\nVmRSS:\t  153600 kB\nThreads:\t13\n";
  expect(parseStatus(status)).toEqual({ residentBytes: 153_600 * 1024, threads: 13 });
});

test.runIf(process.platform === "linux")("this process holds something; one that has ended, nothing", () => {
  const { residentBytes = 0, descriptors = 0, threads = 0 } = usageOf(process.pid) ?? {};
  expect([residentBytes > 10e6, descriptors > 2, threads > 1]).toEqual([true, true, true]);
  expect(usageOf(2 ** 30)).toBeNull();
});
