import { describe, expect, it } from "vitest";
import { uniformAt } from "./uniform-at.js";

describe("uniformAt", () => {
  it("gives the same number for the same seed and position, on every machine", () => {
    expect(uniformAt(42, 7)).toBe(uniformAt(42, 7));
    expect([uniformAt(0, 0), uniformAt(42, 7), uniformAt(-1, 123456)]).toMatchInlineSnapshot(`
      [
        0.3131367590814276,
        0.5004176224924879,
        0.8112055653199588,
      ]
    `);
  });

  it("changes with either, also in the upper half of a large seed", () => {
    const numbers = [uniformAt(1, 1), uniformAt(1, 2), uniformAt(2, 1), uniformAt(-1, 1), uniformAt(1 + 2 ** 40, 1)];
    expect(new Set(numbers).size).toBe(numbers.length);
  });

  it.each([
    { name: "positions", at: (i: number) => uniformAt(5, i) },
    { name: "seeds", at: (i: number) => uniformAt(i, 5) },
  ])("is spread evenly over $name", ({ at }) => {
    const bins = new Array<number>(16).fill(0);
    for (let i = 0; i < 16000; i++) {
      const bin = Math.floor(at(i) * 16);
      bins[bin] = (bins[bin] ?? 0) + 1;
    }
    // 1000 expected per bin, standard deviation 31.
    expect(Math.min(...bins)).toBeGreaterThan(850);
    expect(Math.max(...bins)).toBeLessThan(1150);
  });
});
