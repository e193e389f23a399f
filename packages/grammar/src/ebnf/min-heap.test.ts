import fc from "fast-check";
import { expect, it } from "vitest";
import { MinHeap } from "./min-heap.js";

it("gives back what it was given, from the least on", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20 })), (keys) => {
      const heap = new MinHeap<number>();
      for (const [i, key] of keys.entries()) heap.push(key, i);
      const popped = Array.from(keys, () => heap.pop());
      expect(popped.map((entry) => entry?.key)).toEqual(keys.toSorted((a, b) => a - b));
      expect(popped.map((entry) => keys[entry?.value ?? -1])).toEqual(popped.map((entry) => entry?.key));
      expect(heap.pop()).toBeUndefined();
    }),
  );
});
