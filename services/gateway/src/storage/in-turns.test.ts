import { expect, it } from "vitest";
import { InTurns } from "./in-turns.js";

/** Doubles numbers, and knows how many were being doubled at a time at most. */
function doubling() {
  let [running, most] = [0, 0];
  const double = async (item: number) => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setImmediate(resolve));
    running--;
    return 2 * item;
  };
  return { double, most: () => most };
}

const items = Array.from({ length: 20 }, (_, i) => i);

it("uses every item of a list, in their order, at most eight at a time", async () => {
  const { double, most } = doubling();
  expect(await new InTurns().all(items, double)).toEqual(items.map((item) => 2 * item));
  expect(most()).toBe(8);
});

it("uses at most 32 at a time, of however many lists, which take turns", async () => {
  const { double, most } = doubling();
  const turns = new InTurns();
  const ended: number[] = [];
  const lists = items.map((list) => turns.all(items, double).finally(() => ended.push(list)));
  expect(await Promise.all(lists)).toEqual(items.map(() => items.map((item) => 2 * item)));
  expect(most()).toBe(32);
  expect(ended).toEqual(items);
});

it("uses no more items once nobody waits for the list", async () => {
  const left = new AbortController();
  const used: number[] = [];
  const use = async (item: number): Promise<void> => {
    used.push(item);
    if (item === 3) left.abort(new Error("left"));
  };
  const turns = new InTurns();
  await expect(turns.all(items, use, left.signal)).rejects.toThrow("left");
  expect(used).toEqual(items.slice(0, 8));
  await expect(turns.all(items, use, left.signal)).rejects.toThrow("left");
  expect(used).toHaveLength(8);
});

it("rejects as the use of an item does, and goes on with other lists", async () => {
  const turns = new InTurns();
  const failing = items.map(() => turns.all([1, 2], () => Promise.reject(new Error("no"))));
  for (const one of await Promise.allSettled(failing)) expect(one.status).toBe("rejected");
  expect(await turns.all([1], async (item) => item)).toEqual([1]);
});
