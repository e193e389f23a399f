import { expect, it } from "vitest";
import { VirtualClock } from "./virtual-clock.js";

it("lets events happen in the order of their time, those of one time as they were asked for", () => {
  const clock = new VirtualClock();
  const seen: string[] = [];
  const note = (name: string) => () => void seen.push(`${name} at ${clock.nowMs}`);
  clock.after(2, note("c"));
  clock.after(1, () => {
    note("a")();
    clock.after(0, note("b"));
    clock.after(1, note("d"));
  });
  clock.after(9, note("too late"));
  while (clock.step(9));
  expect(seen).toEqual(["a at 1", "b at 1", "c at 2", "d at 2"]);
});

it("forgets what has happened", () => {
  const clock = new VirtualClock();
  let count = 0;
  const again = (): void => {
    count++;
    clock.after(1, again);
  };
  again();
  while (clock.step(5000));
  expect([count, clock.nowMs]).toEqual([5000, 4999]);
});
