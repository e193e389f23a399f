import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cutLayers, dearest, type StageCost } from "./cut-layers.js";

/** Every way to cut `layers` into `stages` runs of at least one: ends of the runs. */
function allCuts(layers: number, stages: number, from = 0): number[][] {
  if (stages === 1) return [[layers]];
  const cuts: number[][] = [];
  for (let end = from + 1; end <= layers - stages + 1; end++) {
    for (const rest of allCuts(layers, stages - 1, end)) cuts.push([end, ...rest]);
  }
  return cuts;
}

/** Layers of these weights on workers of these speeds; more than `most` layers do not fit on a worker. */
const costOf =
  (weights: readonly number[], factors: readonly number[], most: readonly number[]): StageCost =>
  (stage, first, last) => {
    if (last - first > (most[stage] ?? 0)) return Number.POSITIVE_INFINITY;
    return weights.slice(first, last).reduce((sum, weight) => sum + weight, 0) * (factors[stage] ?? 1);
  };

const problems = fc
  .tuple(fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 9 }), fc.integer({ min: 1, max: 4 }))
  .filter(([weights, stages]) => stages <= weights.length)
  .chain(([weights, stages]) =>
    fc.record({
      weights: fc.constant(weights),
      factors: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: stages, maxLength: stages }),
      most: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: stages, maxLength: stages }),
    }),
  );

describe("cutLayers", () => {
  it("is as good as the best of all cuts, and the most even of those", () => {
    fc.assert(
      fc.property(problems, ({ weights, factors, most }) => {
        const cost = costOf(weights, factors, most);
        const squares = (ends: readonly number[]) =>
          ends.reduce((sum, end, stage) => sum + cost(stage, ends[stage - 1] ?? 0, end) ** 2, 0);
        const all = allCuts(weights.length, factors.length).filter((ends) => Number.isFinite(dearest(ends, cost)));
        const found = cutLayers(weights.length, factors.length, cost);
        expect(found === null).toBe(all.length === 0);
        if (found === null) return;
        const least = Math.min(...all.map((ends) => dearest(ends, cost)));
        const evenest = Math.min(...all.filter((ends) => dearest(ends, cost) === least).map(squares));
        expect(dearest(found, cost)).toBe(least);
        expect(squares(found)).toBe(evenest);
      }),
      { numRuns: 500 },
    );
  });

  it("cuts 80 layers over 32 workers", () => {
    const ends = cutLayers(80, 32, (_, first, last) => last - first);
    expect(ends).toHaveLength(32);
    expect(dearest(ends ?? [], (_, first, last) => last - first)).toBe(3);
  });
});
