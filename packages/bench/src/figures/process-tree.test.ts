import { existsSync } from "node:fs";
import { expect, it, test } from "vitest";
import { nameOf, parseStat, processName, processTree } from "./process-tree.js";

it.each([
  ["a service", ["/usr/bin/node", "/opt/rhone/services/shard-worker/dist/main.js", "--port", "0"], "shard-worker"],
  ["a bundle", ["node", "/opt/rhone/services/gateway/dist/main.bundle.js"], "gateway"],
  ["the host of Redis", ["node", "/opt/rhone/cli/dist/redis/redis-host.bundle.js"], "redis host"],
  ["another program", ["/usr/bin/redis-server *:6379"], "redis-server"],
  ["a kernel thread", [""], ""],
])("names %s by its command line", (_, command, name) => expect(nameOf(command)).toBe(name));

test("a program's name may hold blanks and brackets", () => {
  const rest = "S 7 1 1 0 -1 4194560 1 0 0 0 150 25 0 0 20 0 1 0 100 0 0";
  expect(parseStat(`4242 (a ) b (c) ${rest}`)).toEqual({ pid: 4242, parent: 7, cpuSeconds: 1.75 });
});

test.runIf(existsSync("/proc/self/stat"))("this process is in its parent's tree, and its CPU time only grows", () => {
  const own = () => processTree([process.ppid])?.find(({ pid }) => pid === process.pid);
  const before = own();
  expect(before?.parent).toBe(process.ppid);
  expect(processName(process.pid)).toBe("load generator");
  expect(own()?.cpuSeconds).toBeGreaterThanOrEqual(before?.cpuSeconds ?? Number.NaN);
  expect(processTree([])).toEqual([]);
});
