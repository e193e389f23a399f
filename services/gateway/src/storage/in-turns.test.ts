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
const reader = { owner: "team" };

it("uses every item of a list, in their order, at most eight at a time", async () => {
  const { double, most } = doubling();
  expect(await new InTurns().all(items, double, reader)).toEqual(items.map((item) => 2 * item));
  expect(most()).toBe(8);
});

it("uses at most 32 at a time, of however many lists, which take turns", async () => {
  const { double, most } = doubling();
  const turns = new InTurns();
  const ended: number[] = [];
  const lists = items.map((list) => turns.all(items, double, reader).finally(() => ended.push(list)));
  expect(await Promise.all(lists)).toEqual(items.map(() => items.map((item) => 2 * item)));
  expect(most()).toBe(32);
  expect(ended).toEqual(items);
});

it("reads another owner's list in every second turn, however many lists the first asks for", async () => {
  const turns = new InTurns();
  const ended: string[] = [];
  const lists = ["many", ...Array(40).fill("many"), "one"].map((owner) =>
    turns.all(items, doubling().double, { owner }).finally(() => ended.push(owner)),
  );
  await Promise.all(lists);
  expect(ended.indexOf("one")).toBeLessThanOrEqual(6);
});

it("lets 16 requests at a time use few records, in turns by owner", async () => {
  const { double, most } = doubling();
  const turns = new InTurns();
  const ended: string[] = [];
  const ask = (owner: string) => turns.few({ owner }, () => double(1)).finally(() => ended.push(owner));
  await Promise.all([...Array.from({ length: 100 }, () => ask("many")), ask("one")]);
  expect(most()).toBe(16);
  expect(ended.indexOf("one")).toBeLessThan(32);
});

it("refuses the last request of the owner with the most when more than 1,024 wait", async () => {
  const turns = new InTurns();
  const { double } = doubling();
  const many = Array.from({ length: 16 + 1025 }, () => turns.few(reader, () => double(1)));
  const one = turns.few({ owner: "one" }, () => double(2));
  const settled = await Promise.allSettled(many);
  const refused = settled.flatMap((each) => (each.status === "rejected" ? [each.reason] : []));
  const message = "1024 requests are waiting for files or batches; try again shortly.";
  expect(refused).toMatchObject(Array(2).fill({ code: "GATEWAY_BUSY", message }));
  expect(await one).toBe(4);
});

it("uses no more items once nobody waits for the list", async () => {
  const left = new AbortController();
  const leaver = { ...reader, leaving: left.signal };
  const used: number[] = [];
  const use = async (item: number): Promise<void> => {
    used.push(item);
    if (item === 3) left.abort(new Error("left"));
  };
  const turns = new InTurns();
  await expect(turns.all(items, use, leaver)).rejects.toThrow("left");
  expect(used).toEqual(items.slice(0, 8));
  await expect(turns.all(items, use, leaver)).rejects.toThrow("left");
  expect(used).toHaveLength(8);
});

it("rejects as the use of an item does, and goes on with other lists", async () => {
  const turns = new InTurns();
  const failing = items.map(() => turns.all([1, 2], () => Promise.reject(new Error("no")), reader));
  for (const one of await Promise.allSettled(failing)) expect(one.status).toBe("rejected");
  expect(await turns.all([1], async (item) => item, reader)).toEqual([1]);
});
