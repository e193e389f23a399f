import { getEventListeners } from "node:events";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Condition } from "./condition.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("wakes every waiter, once", async () => {
  const condition = new Condition();
  const { version } = condition;
  const waits = [condition.changedSince(version), condition.changedSince(version)];
  condition.notify();
  await expect(Promise.all(waits)).resolves.toEqual([true, true]);
  expect(condition.version).toBe(version + 1);
});

it("sees a change that happened before the wait began", async () => {
  const condition = new Condition();
  const { version } = condition;
  condition.notify();
  await expect(condition.changedSince(version)).resolves.toBe(true);
});

it("does not take an older change for a new one", async () => {
  const condition = new Condition();
  condition.notify();
  const wait = condition.changedSince(condition.version, { withinMs: 50 });
  vi.advanceTimersByTime(49);
  condition.notify();
  await expect(wait).resolves.toBe(true);
});

it("answers false when time runs out", async () => {
  const condition = new Condition();
  const wait = condition.changedSince(condition.version, { withinMs: 50 });
  vi.advanceTimersByTime(50);
  await expect(wait).resolves.toBe(false);
  expect(vi.getTimerCount()).toBe(0);
});

it.each([
  ["before", true],
  ["during", false],
])("rejects with the reason of a signal that aborts %s the wait", async (_, isEarly) => {
  const condition = new Condition();
  const abort = new AbortController();
  const reason = new Error("closing");
  if (isEarly) abort.abort(reason);
  const wait = condition.changedSince(condition.version, { signal: abort.signal, withinMs: 50 });
  abort.abort(reason);
  await expect(wait).rejects.toBe(reason);
  expect(vi.getTimerCount()).toBe(0);
});

it("leaves no listener on a signal that outlives the wait", async () => {
  const condition = new Condition();
  const { signal } = new AbortController();
  const changed = condition.changedSince(condition.version, { signal });
  condition.notify();
  const timedOut = condition.changedSince(condition.version, { signal, withinMs: 50 });
  vi.advanceTimersByTime(50);
  await expect(Promise.all([changed, timedOut])).resolves.toEqual([true, false]);
  expect(getEventListeners(signal, "abort")).toEqual([]);
});
