import { vi } from "vitest";

/**
 * The most pieces of work that run in one turn of the event loop during `run`, which calls `work` for each. A piece
 * takes a millisecond of a clock that stands still otherwise, so how busy the machine is changes nothing.
 */
export async function mostInATurn(run: (work: () => void) => Promise<unknown>): Promise<number> {
  let now = performance.now();
  let [inTurn, most, isOver] = [0, 0, false];
  const clock = vi.spyOn(performance, "now").mockImplementation(() => now);
  const turn = (): void => {
    inTurn = 0;
    if (!isOver) setImmediate(turn);
  };
  turn();
  try {
    await run(() => {
      now++;
      most = Math.max(most, ++inTurn);
    });
  } finally {
    isOver = true;
    clock.mockRestore();
  }
  return most;
}
