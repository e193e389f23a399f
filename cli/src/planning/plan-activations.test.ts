import { describe, expect, it } from "vitest";
import { planActivations } from "./plan-activations.js";

/** Two stages of 10 ms a step, whatever its rows. */
const curve = [{ rows: 1, layerMs: 10, headMs: 0 }];
const flat = [...curve, { rows: 64, layerMs: 10, headMs: 0 }];
const stages = [0, 1].map(() => ({ layers: 1, heads: false, curve: flat, alone: curve }));
const plan = (link: number | null, changes = {}) =>
  planActivations({ stages, streams: [1, 8], type: "f32", bytes: 16_384, link, ...changes });

describe("the type of activations on a link", () => {
  it("is no matter within a machine", () => {
    expect(plan(null)).toEqual({ type: "f32", bytes: 16_384, link: null, smaller: null });
  });

  it("stays f32 where the link is fast", () => expect(plan(125e6).smaller).toBeNull());

  it("is advised with its bytes and gains where the link is the bottleneck", () => {
    // 2 Mbit/s: 65 ms for a row of f32, 17 for one of Q8_0.
    const { smaller } = plan(250e3);
    expect(smaller).toMatchObject({ type: "q8_0", bytes: 4352 });
    expect(smaller?.gains[1]).toBeCloseTo(128 / 34);
  });

  it("is the most exact that does", () => {
    // 8 streams have 305 tokens/s with f32, 325 with f16, and 335 with Q8_0, which is not worth its rounding.
    const { smaller } = plan(20e6);
    expect(smaller?.type).toBe("f16");
    expect(smaller?.gains[1]).toBeCloseTo(1.066, 2);
  });

  it("is never one that the rows do not divide into, or that is no smaller", () => {
    expect(plan(250e3, { bytes: 4 * 8016 }).smaller?.type).toBe("f16");
    expect(plan(250e3, { type: "q8_0", bytes: 4352 }).smaller).toBeNull();
  });
});
