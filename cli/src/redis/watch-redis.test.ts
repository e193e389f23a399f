import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { watchRedis } from "./watch-redis.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("leaves a Redis alone that answers, be it with an error", async () => {
  const [onLate, onHung] = [vi.fn(), vi.fn()];
  let pings = 0;
  const ping = () => (++pings % 2 === 0 ? Promise.resolve("PONG") : Promise.reject(new Error("LOADING")));
  watchRedis({ ping, hungAfterMs: 4000, onLate, onHung });
  await vi.advanceTimersByTimeAsync(60_000);
  expect([onLate.mock.calls.length, onHung.mock.calls.length]).toEqual([0, 0]);
  expect(pings).toBe(120);
});

it("has one woken that answers nothing, reports it, and asks it only once", async () => {
  const [onLate, onHung] = [vi.fn(), vi.fn()];
  const ping = vi.fn(() => new Promise(() => {}));
  watchRedis({ ping, hungAfterMs: 4000, onLate, onHung });
  await vi.advanceTimersByTimeAsync(1000);
  expect(onLate).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(3000);
  expect([onLate.mock.calls.length, onHung.mock.calls.length]).toEqual([6, 0]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect([onLate, onHung, ping].map(({ mock }) => mock.calls.length)).toEqual([7, 1, 1]);
});
