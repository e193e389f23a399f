import { expect, it } from "vitest";
import { inTurns } from "./in-turns.js";

it("uses every item, in their order, at most eight at a time", async () => {
  const items = Array.from({ length: 20 }, (_, i) => i);
  let [running, most] = [0, 0];
  const doubled = await inTurns(items, async (item) => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setImmediate(resolve));
    running--;
    return 2 * item;
  });
  expect(doubled).toEqual(items.map((item) => 2 * item));
  expect(most).toBe(8);
});

it("rejects as the use of an item does", async () => {
  await expect(inTurns([1, 2], () => Promise.reject(new Error("no")))).rejects.toThrow("no");
});
