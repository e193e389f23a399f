import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, onTestFinished, test } from "vitest";
import { endProcesses, identifyProcess, isAlive, isStopped, signalProcess, untilGone } from "./process-identity.js";

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

async function childThat(source: string) {
  const child = spawn(process.execPath, ["-e", `${source}; console.log("up"); setInterval(() => {}, 1000)`]);
  onTestFinished(() => void child.kill("SIGKILL"));
  await once(child.stdout, "data");
  const identity = identifyProcess(child.pid ?? 0);
  if (identity === null) throw new Error("the child was not found");
  return { child, identity };
}

test("processes are ended by SIGTERM, and waited for", async () => {
  const [one, two] = [await childThat(""), await childThat("")];
  const exits = Promise.all([once(one.child, "exit"), once(two.child, "exit")]);
  await endProcesses([one.identity, two.identity]);
  expect([one.identity, two.identity].map(isAlive)).toEqual([false, false]);
  // A process is gone before Node hears of its exit.
  expect((await exits).map(([, signal]) => signal)).toEqual(["SIGTERM", "SIGTERM"]);
});

test("a stopped process is woken to end in order", async () => {
  const { child, identity } = await childThat('process.on("SIGTERM", () => process.exit(3))');
  const exit = once(child, "exit");
  child.kill("SIGSTOP");
  await endProcesses([identity]);
  expect(await exit).toEqual([3, null]);
});

test("a process is stopped until it is woken, and a later one with its number is not it", async () => {
  const { child, identity } = await childThat("");
  expect(isStopped(identity)).toBe(false);
  child.kill("SIGSTOP");
  await expect.poll(() => isStopped(identity)).toBe(true);
  expect(isStopped({ ...identity, startedAt: `${identity.startedAt}0` })).toBe(false);
  child.kill("SIGCONT");
  await expect.poll(() => isStopped(identity)).toBe(false);
  expect(isAlive(identity)).toBe(true);
});

test("waiting for a process ends at its deadline", async () => {
  const { identity } = await childThat('process.on("SIGTERM", () => {})');
  expect(await untilGone([identity], 1)).toBe(false);
  expect(await untilGone([], 0)).toBe(true);
});

test("nothing alive has the number of a process that never was", () => {
  expect(identifyProcess(2 ** 30)).toBeNull();
});
