import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { identifyProcess, isAlive, signalProcess } from "./process-identity.js";

test("this process is alive, another start under its number is not", () => {
  const self = identifyProcess(process.pid);
  expect(self).not.toBeNull();
  if (self === null) return;
  expect(isAlive(self)).toBe(true);
  expect(isAlive({ ...self, startedAt: `${self.startedAt}0` })).toBe(false);
});

test("a process that ended is neither alive nor signalled", async () => {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  await once(child, "spawn");
  const identity = identifyProcess(child.pid ?? 0);
  if (identity === null) throw new Error("the child was not found");
  const ended = once(child, "exit");
  expect(signalProcess(identity, "SIGKILL")).toBe(true);
  await ended;
  expect(isAlive(identity)).toBe(false);
  expect(signalProcess(identity, "SIGTERM")).toBe(false);
});
