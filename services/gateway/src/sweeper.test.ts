import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Sweeper } from "./sweeper.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A sweeper with pauses of 100 ms, whose looks end when `end` is called. */
function sweeping() {
  const ends: ((error?: Error) => void)[] = [];
  const look = vi.fn(
    () =>
      new Promise<void>((resolve, reject) => ends.push((error) => (error === undefined ? resolve() : reject(error)))),
  );
  const failed = vi.fn();
  const sweeper = new Sweeper({ look, pauseMs: () => 100, failed });
  const end = async (error?: Error): Promise<void> => {
    ends.shift()?.(error);
    await vi.advanceTimersByTimeAsync(0);
  };
  return { sweeper, look, failed, end };
}

it("looks at once, and again after each pause", async () => {
  const { sweeper, look, end } = sweeping();
  sweeper.start();
  expect(look).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(1000);
  expect(look).toHaveBeenCalledTimes(1);
  await end();
  await vi.advanceTimersByTimeAsync(99);
  expect(look).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(look).toHaveBeenCalledTimes(2);
});

it("looks at once when it is woken in a pause, and keeps one pause", async () => {
  const { sweeper, look, end } = sweeping();
  sweeper.start();
  await end();
  sweeper.wake();
  expect(look).toHaveBeenCalledTimes(2);
  await end();
  await vi.advanceTimersByTimeAsync(100);
  expect(look).toHaveBeenCalledTimes(3);
});

it("looks again, without a pause, when it is woken while it looks", async () => {
  const { sweeper, look, end } = sweeping();
  sweeper.start();
  sweeper.wake();
  sweeper.wake();
  expect(look).toHaveBeenCalledTimes(1);
  await end();
  expect(look).toHaveBeenCalledTimes(2);
  await end();
  await vi.advanceTimersByTimeAsync(99);
  expect(look).toHaveBeenCalledTimes(2);
});

it("tells of a look that failed, and goes on", async () => {
  const { sweeper, look, failed, end } = sweeping();
  sweeper.start();
  const error = new Error("away");
  await end(error);
  expect(failed).toHaveBeenCalledExactlyOnceWith(error);
  await vi.advanceTimersByTimeAsync(100);
  expect(look).toHaveBeenCalledTimes(2);
});

it("is closed when its last look is over, and never looks again", async () => {
  const { sweeper, look, end } = sweeping();
  sweeper.start();
  let isClosed = false;
  void sweeper.close().then(() => {
    isClosed = true;
  });
  expect(sweeper.closing.reason).toMatchObject({ code: "SHUTTING_DOWN" });
  await vi.advanceTimersByTimeAsync(0);
  expect(isClosed).toBe(false);
  await end();
  expect(isClosed).toBe(true);
  sweeper.wake();
  sweeper.start();
  await vi.advanceTimersByTimeAsync(1000);
  expect(look).toHaveBeenCalledTimes(1);
});

it("wakes nobody before it starts", () => {
  const { sweeper, look } = sweeping();
  sweeper.wake();
  expect(look).not.toHaveBeenCalled();
});

it("closed in a pause, it does not look when that ends", async () => {
  const { sweeper, look, end } = sweeping();
  sweeper.start();
  await end();
  await sweeper.close();
  sweeper.wake();
  await vi.advanceTimersByTimeAsync(1000);
  expect(look).toHaveBeenCalledTimes(1);
});
