import type { ChildProcess } from "node:child_process";
import { EventEmitter } from "node:events";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { TestChild } from "../testing/child-process.js";
import { watchPulse } from "./pulse.js";

describe("watchPulse", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function watched(hungAfterMs: number) {
    const child = new EventEmitter();
    const [onLate, onHung] = [vi.fn(), vi.fn()];
    watchPulse(child as ChildProcess, { hungAfterMs, onLate, onHung });
    return { onLate, onHung, child, pulse: () => child.emit("message", { kind: "pulse" }) };
  }

  it("leaves a child alone that pulses, however irregularly", () => {
    const { pulse, onLate, onHung } = watched(10_000);
    for (let second = 0; second < 100; second++) {
      if (second % 4 === 0) pulse();
      vi.advanceTimersByTime(1000);
    }
    expect([onLate.mock.calls.length, onHung.mock.calls.length]).toEqual([0, 0]);
  });

  it("gives a child that starts 180 s", () => {
    const { child, onLate, onHung } = watched(10_000);
    child.emit("message", { kind: "listening" });
    vi.advanceTimersByTime(180_000);
    expect([onLate.mock.calls.length, onHung.mock.calls.length]).toEqual([0, 0]);
    vi.advanceTimersByTime(1000);
    expect(onHung).toHaveBeenCalledExactlyOnceWith("did not start within 180 s");
  });

  it("gives a silent child half of the time to be woken, and all of it before it is hung", () => {
    const { pulse, onLate, onHung } = watched(10_000);
    vi.advanceTimersByTime(100_000);
    pulse();
    vi.advanceTimersByTime(5000);
    expect([onLate.mock.calls.length, onHung.mock.calls.length]).toEqual([0, 0]);
    vi.advanceTimersByTime(1000);
    expect([onLate.mock.calls.length, onHung.mock.calls.length]).toEqual([1, 0]);
    vi.advanceTimersByTime(5000);
    expect([onLate.mock.calls.length, onHung.mock.calls.length]).toEqual([1, 1]);
    vi.advanceTimersByTime(1e6);
    expect(onHung).toHaveBeenCalledExactlyOnceWith("hung: its event loop did not turn for 10 s");
  });

  it("watches a child no longer that has ended", () => {
    const { child, pulse, onHung } = watched(2000);
    pulse();
    child.emit("exit", 0);
    vi.advanceTimersByTime(1e6);
    expect(onHung).not.toHaveBeenCalled();
  });
});

it("a stopped service is noticed, one that turns is not", { timeout: 30_000 }, async () => {
  const stopped = new TestChild(
    "await common.serviceMain({ service: 'x', settings: { logLevel: common.logLevelSetting, hungAfter: common.hungAfterSetting } }, async () => {});",
  );
  const events: string[] = [];
  const hung = new Promise<void>((resolve) =>
    watchPulse(stopped.process, { hungAfterMs: 2000, onLate: () => events.push("late"), onHung: () => resolve() }),
  );
  expect(await stopped.message()).toEqual({ kind: "pulse" });
  expect(await stopped.message()).toEqual({ kind: "pulse" });
  stopped.process.kill("SIGSTOP");
  await hung;
  expect(events).toEqual(["late"]);
});
