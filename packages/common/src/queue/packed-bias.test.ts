import { describe, expect, it } from "vitest";
import { biasBytes, isPackedBias, packBias, unpackBias } from "./packed-bias.js";

const biases = { tokens: Int32Array.of(0, 7, 0x7fffffff), values: Float32Array.of(-100, 0.5, 0) };
const pack = (tokens: readonly number[], values: readonly number[]) =>
  packBias({ tokens: Int32Array.from(tokens), values: Float32Array.from(values) });

describe("packed biases", () => {
  it("are read back as they were packed, in any number", () => {
    expect(unpackBias(packBias(biases))).toEqual(biases);
    expect(unpackBias("")).toEqual({ tokens: new Int32Array(), values: new Float32Array() });
    expect(pack([], [])).toBe("");
  });

  it("are the wire's bytes", () => {
    const { tokens, values } = biasBytes(pack([1, 2], [1, -2]));
    expect([...tokens]).toEqual([1, 0, 0, 0, 2, 0, 0, 0]);
    expect([...values]).toEqual([0, 0, 128, 63, 0, 0, 0, 192]);
  });

  it.each<[string, unknown, boolean]>([
    ["none", "", true],
    ["some", packBias(biases), true],
    ["a negative token", pack([-1], [0]), false],
    ["an infinite value", pack([1], [1e39]), false],
    ["a value that is no number", pack([1], [Number.NaN]), false],
    ["half a pair", Buffer.alloc(4).toString("base64"), false],
    ["half a character group", "AAA", false],
    ["other characters", "????", false],
    ["pairs that are not packed", [[1, 0.5]], false],
    ["an object", {}, false],
  ])("with %s: good is %#", (_, packed, isGood) => expect(isPackedBias(packed)).toBe(isGood));
});
