import { expect, it } from "vitest";
import { Stillness } from "./stillness.js";

it("counts the looks since a counter moved", () => {
  const stillness = new Stillness();
  expect([0, 0, 0, 1, 1, 2, 3, 3, 3].map((count) => stillness.look(count))).toEqual([0, 1, 2, 0, 1, 0, 0, 1, 2]);
});
