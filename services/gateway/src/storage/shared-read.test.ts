import { expect, it } from "vitest";
import { SharedRead } from "./shared-read.js";

/** Reads a counter when it is told to. */
function counted() {
  let begun = 0;
  const ends: (() => void)[] = [];
  const shared = new SharedRead<number>();
  const get = (key = "key") =>
    shared.get(key, async () => {
      const number = ++begun;
      await new Promise<void>((resolve) => ends.push(resolve));
      if (number === 4) throw new Error("the fourth");
      return number;
    });
  return { read: { get }, end: () => ends.shift()?.(), begun: () => begun };
}

it("is shared by those who ask while another is under way, and begins after they asked", async () => {
  const { read, end, begun } = counted();
  const asked = [read.get(), read.get(), read.get()];
  expect(begun()).toBe(1);
  end();
  await asked[0];
  await expect.poll(begun).toBe(2);
  const later = read.get();
  end();
  expect(await Promise.all(asked)).toEqual([1, 2, 2]);
  await expect.poll(begun).toBe(3);
  end();
  expect(await later).toBe(3);
  const failing = read.get();
  const after = read.get();
  end();
  await expect(failing).rejects.toThrow("the fourth");
  await expect.poll(begun).toBe(5);
  end();
  expect(await after).toBe(5);
});

it("waits for no read with another key", async () => {
  const { read, end, begun } = counted();
  const asked = ["a", "b", "c"].map(read.get);
  expect(begun()).toBe(3);
  for (let each = 0; each < 3; each++) end();
  expect(await Promise.all(asked)).toEqual([1, 2, 3]);
});
