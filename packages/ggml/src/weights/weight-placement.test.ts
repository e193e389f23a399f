import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Backend } from "../backend/backend.js";
import { GgmlType, type GgmlTypeName } from "../elements/ggml-type.js";
import { openEngine } from "../native/engine.js";
import { placeWeight, type WeightUse } from "./weight-placement.js";

let backend: Backend;
beforeAll(() => {
  backend = Backend.open(openEngine(), { threads: 1 });
});
afterAll(() => backend.close());

const place = (type: GgmlTypeName, ne: readonly [number, number?, number?], use: WeightUse) =>
  placeWeight(backend, backend.bufferTypes())({ name: "w", type: GgmlType[type], ne, use });

describe("placeWeight", () => {
  it.each([
    { type: "F32", ne: [64], use: "norm" },
    { type: "F32", ne: [64, 4], use: "matmul" },
    { type: "F16", ne: [64, 4], use: "rows" },
    { type: "Q4_K", ne: [256, 8], use: "rows" },
    { type: "Q8_0", ne: [64, 4], use: "matmul" },
    { type: "Q6_K", ne: [256, 4], use: "matmul" },
    // Experts: one matrix behind the other. No backend reorders those for an ordinary product.
    { type: "Q4_0", ne: [64, 8, 4], use: "matmul" },
  ] as const)("finds memory for $type $ne, used as $use", ({ type, ne, use }) => {
    expect(backend.bufferTypes().map(({ name }) => name)).toContain(place(type, ne, use).name);
  });

  it("never reorders tables and norms, which are read row by row", () => {
    expect(place("Q4_0", [256, 64], "rows").isExtra).toBe(false);
    expect(place("F32", [256], "norm").isExtra).toBe(false);
  });

  it("takes the first type of the list that the device can compute from", () => {
    const plain = backend.bufferTypes().filter(({ isExtra }) => !isExtra);
    const spec = { name: "w", type: GgmlType.Q4_0, ne: [256, 64], use: "matmul" } as const;
    expect(placeWeight(backend, plain)(spec).name).toBe("CPU");
  });

  it.each(["I8", "I16", "I32", "I64", "F64", "Q8_1", "Q8_K"] as const)(
    "refuses products with %s, naming the weight",
    (type) => {
      expect(() => place(type, [256, 4], "matmul")).toThrow(
        expect.objectContaining({
          code: "TENSOR_TYPE_UNSUPPORTED",
          message:
            `CPU can't compute with "w", ${type} [256, 4]. ` +
            "Convert the model to Q8_0 or F16, or choose another device.",
        }),
      );
    },
  );

  it("refuses every type when there is none to choose from", () => {
    const spec = { name: "w", type: GgmlType.F32, ne: [8], use: "norm" } as const;
    expect(() => placeWeight(backend, [])(spec)).toThrow(expect.objectContaining({ code: "TENSOR_TYPE_UNSUPPORTED" }));
  });
});
