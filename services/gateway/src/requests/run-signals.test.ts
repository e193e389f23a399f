import { expect, it } from "vitest";
import { mostInATurn } from "../testing/most-in-a-turn.js";
import { RunSignals } from "./run-signals.js";

/** The signals of 2,048 choices. */
function many() {
  const signals = new RunSignals();
  return { signals, all: Array.from({ length: 2048 }, (_, choice) => signals.of(choice)) };
}

const ends = (signal: AbortSignal, then = () => {}): Promise<void> =>
  new Promise((resolve) =>
    signal.addEventListener("abort", () => {
      then();
      resolve();
    }),
  );

it("end 2,048 choices with the reason of the first end, 64 at most in a turn", async () => {
  const { signals, all } = many();
  const most = await mostInATurn(async (work) => {
    const ended = Promise.all(all.map((signal) => ends(signal, work)));
    signals.abort("left");
    signals.abort("ended");
    await ended;
  });
  expect(most).toBe(64);
  expect(new Set(all.map(({ reason }) => reason))).toEqual(new Set(["left"]));
});

it("end the first choices at once", () => {
  const { signals, all } = many();
  signals.abort("left");
  expect(all.filter(({ aborted }) => aborted)).toHaveLength(64);
});

it("of choices that are asked for after the end are aborted", () => {
  const signals = new RunSignals();
  signals.abort("left");
  expect(signals.of(0).reason).toBe("left");
});
