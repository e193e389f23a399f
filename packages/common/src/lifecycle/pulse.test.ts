import type { ChildProcess } from "node:child_process";
import { EventEmitter } from "node:events";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { TestChild } from "../testing/child-process.js";
import { watchPulse } from "./pulse.js";

describe("watchPulse", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function watched(hungAfterMs: number) {
    const kill = vi.fn();
    const child = Object.assign(new EventEmitter(), { kill });
    const onHung = vi.fn();
    watchPulse(child as unknown as ChildProcess, { hungAfterMs, onHung });
    return { kill, onHung, child, pulse: () => child.emit("message", { kind: "pulse" }) };
  }

  it("leaves a child alone that pulses, however irregularly", () => {
    const { pulse, kill, onHung } = watched(10_000);
    for (let second = 0; second < 100; second++) {
      if (second % 2 === 0) pulse();
      vi.advanceTimersByTime(1000);
    }
    expect([kill.mock.calls.length, onHung.mock.calls.length]).toEqual([0, 0]);
  });

  it("gives a child that starts 180 s, and wakes it meanwhile", () => {
    const { child, kill, onHung } = watched(10_000);
    child.emit("message", { kind: "listening" });
    vi.advanceTimersByTime(2500);
    expect(kill).not.toHaveBeenCalled();
    vi.advanceTimersByTime(500);
    expect(kill).toHaveBeenCalledExactlyOnceWith("SIGCONT");
    vi.advanceTimersByTime(177_000);
    expect(onHung).not.toHaveBeenCalled();
    vi.advanceTimersByTime(500);
    expect(onHung).toHaveBeenCalledExactlyOnceWith("did not start within 180 s");
  });

  it("wakes a silent child from a quarter of the time on, and gives it all of the time before it is hung", () => {
    const { pulse, kill, onHung } = watched(4000);
    vi.advanceTimersByTime(100_000);
    pulse();
    kill.mockClear();
    vi.advanceTimersByTime(1000);
    expect([kill.mock.calls.length, onHung.mock.calls.length]).toEqual([0, 0]);
    vi.advanceTimersByTime(500);
    expect(kill).toHaveBeenCalledExactlyOnceWith("SIGCONT");
    vi.advanceTimersByTime(2500);
    expect(onHung).not.toHaveBeenCalled();
    const woken = kill.mock.calls.length;
    expect(woken).toBe(6);
    vi.advanceTimersByTime(500);
    expect(onHung).toHaveBeenCalledExactlyOnceWith("hung: its event loop did not turn for 4 s");
    vi.advanceTimersByTime(1e6);
    expect([kill.mock.calls.length, onHung.mock.calls.length]).toEqual([woken + 1, 1]);
  });

  it("watches a child no longer that has ended", () => {
    const { child, pulse, onHung } = watched(2000);
    pulse();
    child.emit("exit", 0);
    vi.advanceTimersByTime(1e6);
    expect(onHung).not.toHaveBeenCalled();
  });
});

const SERVICE = "{ service: 'x', settings: { logLevel: common.logLevelSetting, hungAfter: common.hungAfterSetting } }";

it("a stopped service is woken, and lives on", { timeout: 30_000 }, async () => {
  const woken = "process.on('SIGCONT', () => process.send({ kind: 'woken' }));";
  const child = new TestChild(`await common.serviceMain(${SERVICE}, async () => {}); ${woken}`);
  const hung = vi.fn();
  watchPulse(child.process, { hungAfterMs: 4000, onHung: hung });
  expect(await child.message()).toEqual({ kind: "pulse" });
  expect(await child.message()).toEqual({ kind: "pulse" });
  child.process.kill("SIGSTOP");
  await child.answer("woken");
  await child.answer("pulse");
  expect(hung).not.toHaveBeenCalled();
});

it("a service whose loop does not turn is noticed", { timeout: 30_000 }, async () => {
  const child = new TestChild(
    `await common.serviceMain(${SERVICE}, async () => {}); process.once('message', () => { for (;;); });`,
    { flags: ["--hung-after", "600"] },
  );
  const hung = new Promise<string>((resolve) => watchPulse(child.process, { hungAfterMs: 2000, onHung: resolve }));
  await child.answer("pulse");
  child.process.send("go");
  expect(await hung).toBe("hung: its event loop did not turn for 2 s");
});
