import { Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { Entrance } from "./entrance.js";

function socket(): Socket {
  const made = new Socket();
  onTestFinished(() => void made.destroy());
  return made;
}

test("connections that come at once begin in turns, in their order, without those that have ended", async () => {
  const begun: Socket[] = [];
  const entrance = new Entrance((each) => void begun.push(each));
  const [first, ended, second, third] = [socket(), socket(), socket(), socket()];
  for (const each of [first, ended, second]) entrance.add(each);
  ended.destroy();
  expect(begun).toEqual([]);
  const seen: number[] = [];
  for (let count = 0; count < 4; count++) {
    await turn();
    seen.push(begun.length);
  }
  expect(Math.max(...seen.map((count, index) => count - (seen[index - 1] ?? 0)))).toBe(1);
  expect(begun).toEqual([first, second]);
  entrance.add(third);
  await expect.poll(() => begun).toEqual([first, second, third]);
});
