import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { watchRedis } from "./watch-redis.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("leaves a Redis alone that answers, be it with an error", async () => {
  const onHung = vi.fn();
  let pings = 0;
  const ping = () => (++pings % 2 === 0 ? Promise.resolve("PONG") : Promise.reject(new Error("LOADING")));
  watchRedis({ ping, hungAfterMs: 3000, onHung });
  await vi.advanceTimersByTimeAsync(60_000);
  expect(onHung).not.toHaveBeenCalled();
  expect(pings).toBe(60);
});

it("reports one that answers nothing, once, and asks it only once", async () => {
  const onHung = vi.fn();
  const ping = vi.fn(() => new Promise(() => {}));
  watchRedis({ ping, hungAfterMs: 3000, onHung });
  await vi.advanceTimersByTimeAsync(3000);
  expect(onHung).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(60_000);
  expect([onHung.mock.calls.length, ping.mock.calls.length]).toEqual([1, 1]);
});
