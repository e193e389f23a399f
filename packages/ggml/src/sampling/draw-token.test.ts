import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { drawToken } from "./draw-token.js";
import { Sampler } from "./sampler.js";

const NONE = Number.NEGATIVE_INFINITY;
type Options = ConstructorParameters<typeof Sampler>[0];
const draw = (logits: readonly number[], options: Options, uniform: number): number =>
  drawToken(Float32Array.from(logits), {
    ...new Sampler(options).request({ seed: 0, position: 0 }),
    uniform,
  });

describe("drawToken", () => {
  // Probabilities 1/8, 1/2, 1/8, 1/4.
  const logits = [1, 3, 1, 2].map((power) => Math.log(2) * power);

  it.each([
    { uniform: 0, byId: 0, byLogit: 1 },
    { uniform: 0.124, byId: 0, byLogit: 1 },
    { uniform: 0.126, byId: 1, byLogit: 1 },
    { uniform: 0.501, byId: 1, byLogit: 3 },
    { uniform: 0.626, byId: 2, byLogit: 3 },
    { uniform: 0.751, byId: 3, byLogit: 0 },
    { uniform: 0.874, byId: 3, byLogit: 0 },
    { uniform: 0.876, byId: 3, byLogit: 2 },
    { uniform: 1 - 2 ** -53, byId: 3, byLogit: 2 },
  ])("at $uniform is $byId in the order of ids, $byLogit by falling logit", ({ uniform, byId, byLogit }) => {
    expect(draw(logits, { temperature: 1 }, uniform)).toBe(byId);
    expect(draw(logits, { temperature: 1, topP: 1 - 1e-9 }, uniform)).toBe(byLogit);
  });

  it.each([
    { options: { topK: 2 }, uniform: 0.99, token: 3 },
    { options: { topK: 2 }, uniform: 0.65, token: 1 },
    { options: { topK: 3 }, uniform: 0.99, token: 0 },
    { options: { topP: 0.75 }, uniform: 0.99, token: 3 },
    { options: { topP: 0.76 }, uniform: 0.99, token: 0 },
    { options: { topP: 1e-9 }, uniform: 0.99, token: 1 },
    { options: { topK: 3, topP: 0.57 }, uniform: 0.99, token: 1 },
    { options: { topK: 3, topP: 0.58 }, uniform: 0.99, token: 3 },
    { options: { minP: 0.49 }, uniform: 0.99, token: 3 },
  ])("of $options at $uniform is $token", ({ options, uniform, token }) => {
    expect(draw(logits, { temperature: 1, ...options }, uniform)).toBe(token);
  });

  it("flattens with a high temperature and sharpens with a low one", () => {
    expect(draw(logits, { temperature: 100 }, 0.3)).toBe(1);
    expect(draw(logits, { temperature: 0.05 }, 0.01)).toBe(1);
  });

  it("never takes a token of no weight, not even at the edge", () => {
    for (const uniform of [0, 1 - 2 ** -53])
      for (const topP of [1, 0.999]) expect(draw([-1000, 0, NONE], { temperature: 1, topP }, uniform)).toBe(1);
  });

  it("finds the same by the best tokens as by all, for every top_k", () => {
    const row = fc.array(fc.integer({ min: -40, max: 40 }), { minLength: 300, maxLength: 400 });
    const property = fc.property(
      row,
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (values, uniform) => {
        const scores = values.map((value) => value / 8);
        const order = [...scores.keys()].sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0));
        for (const topK of [1, 3, 255, 256, 257, 299]) {
          const kept = new Set(order.slice(0, topK));
          const banned = scores.map((score, id) => (kept.has(id) ? score : NONE));
          const options = { temperature: 1, topP: 0.9 };
          expect(draw(scores, { ...options, topK }, uniform)).toBe(draw(banned, options, uniform));
        }
      },
    );
    fc.assert(property, { numRuns: 50 });
  });
});
