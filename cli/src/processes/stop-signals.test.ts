import { afterEach, expect, test } from "vitest";
import { listenForStop } from "./stop-signals.js";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const before = new Map(SIGNALS.map((signal) => [signal, process.listeners(signal)]));
afterEach(() => {
  for (const signal of SIGNALS) {
    for (const listener of process.listeners(signal)) {
      if (!before.get(signal)?.includes(listener)) process.off(signal, listener);
    }
  }
});

test("the first signal stops, the second kills, whichever they are", () => {
  let stops = 0;
  const { stop, kill } = listenForStop(() => stops++);
  process.emit("SIGTERM");
  expect([stop.aborted, kill.aborted, stops]).toEqual([true, false, 1]);
  expect(stop.reason).toMatchObject({ code: "CANCELLED" });
  process.emit("SIGINT");
  expect([kill.aborted, stops]).toEqual([true, 1]);
});
