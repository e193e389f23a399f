import { createLogger } from "@rhone/common";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Routes } from "./routes.js";

const logger = createLogger({ service: "test", level: "silent" });
const MINUTE = 60_000;
const [a, b, c] = ["a", "b", "c"].map((worker) => ({ worker })) as [
  { worker: string },
  { worker: string },
  { worker: string },
];
const hop = { from: a, to: b };

beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"], now: 0 }));
afterEach(() => void vi.useRealTimers());

test("a way that closes is closed in both directions, and for no other pair, until it opens", () => {
  const routes = new Routes(logger);
  expect(routes.detourOf(hop)).toBeNull();
  routes.closed(hop, "silent");
  expect([hop, { from: b, to: a }, { from: a, to: c }].map((each) => routes.detourOf(each))).toEqual([
    5000,
    5000,
    null,
  ]);
  routes.opened({ from: b, to: a });
  expect(routes.detourOf(hop)).toBeNull();
});

test("a way that closes again and again must be open for longer each time, and for five minutes at most", () => {
  const routes = new Routes(logger);
  const proven = Array.from({ length: 5 }, () => {
    routes.closed(hop, "silent");
    const ms = routes.detourOf(hop);
    routes.opened(hop);
    vi.advanceTimersByTime(9 * MINUTE);
    return ms;
  });
  expect(proven).toEqual([5000, 20_000, 80_000, 300_000, 300_000]);
  vi.advanceTimersByTime(2 * MINUTE);
  routes.closed(hop, "silent");
  expect(routes.detourOf(hop)).toBe(5000);
});

test("what is known of a worker's ways is forgotten with it", () => {
  const routes = new Routes(logger);
  routes.closed(hop, "silent");
  routes.closed({ from: b, to: c }, "silent");
  routes.forget("a");
  expect([routes.detourOf(hop), routes.detourOf({ from: b, to: c })]).toEqual([null, 5000]);
});
