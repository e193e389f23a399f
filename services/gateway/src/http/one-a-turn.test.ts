import { expect, it } from "vitest";
import { OneATurn } from "./one-a-turn.js";

it("lets one go on in each turn of the event loop, in their order", async () => {
  const turns = new OneATurn();
  let turn = 0;
  const count = (): void => {
    turn++;
    if (turn < 10) setImmediate(count);
  };
  setImmediate(count);
  const wentOn = await Promise.all(["a", "b", "c"].map((name) => turns.next().then(() => ({ name, turn }))));
  expect(wentOn.map(({ name }) => name)).toEqual(["a", "b", "c"]);
  expect(new Set(wentOn.map((one) => one.turn)).size).toBe(3);
});
