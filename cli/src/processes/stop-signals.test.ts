import { expect, onTestFinished, test } from "vitest";
import { noteSignalListeners } from "../testing/signal-listeners.js";
import { listenForStop } from "./stop-signals.js";

test("the first signal stops, the second kills, whichever they are", () => {
  onTestFinished(noteSignalListeners());
  let stops = 0;
  const { stop, kill } = listenForStop(() => stops++);
  process.emit("SIGTERM");
  expect([stop.aborted, kill.aborted, stops]).toEqual([true, false, 1]);
  expect(stop.reason).toMatchObject({ code: "CANCELLED" });
  process.emit("SIGINT");
  expect([kill.aborted, stops]).toEqual([true, 1]);
});
