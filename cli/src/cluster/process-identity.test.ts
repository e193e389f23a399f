import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { identifyProcess, isAlive, signalProcess } from "./process-identity.js";

describe("process identity", () => {
  it("is the same at each look", () => expect(identifyProcess(process.pid)).toEqual(identifyProcess(process.pid)));

  it("tells a process from an earlier one of its number, and leaves it alone", () => {
    const earlier = { pid: process.pid, startedAt: "before" };
    expect(isAlive(earlier)).toBe(false);
    expect(signalProcess(earlier, "SIGKILL")).toBe(false);
  });

  it("ends with the process", async () => {
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
    await once(child, "spawn");
    const identity = identifyProcess(child.pid ?? 0);
    if (identity === null) throw new Error("the child has no identity");
    expect(isAlive(identity)).toBe(true);
    expect(signalProcess(identity, "SIGKILL")).toBe(true);
    await once(child, "exit");
    expect(isAlive(identity)).toBe(false);
  });
});
