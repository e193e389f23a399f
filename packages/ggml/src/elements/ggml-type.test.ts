import koffi from "koffi";
import { describe, expect, it } from "vitest";
import { TYPE_TRAITS_LAYOUT } from "../bindings/ggml.js";
import { native } from "../bindings/pointer.js";
import { openEngine } from "../native/engine.js";
import { GgmlType, isGgmlType, rowSize, typeInfo } from "./ggml-type.js";

describe("typeInfo", () => {
  it.each(Object.entries(GgmlType))("of %s agrees with the library", (name, type) => {
    const traits = openEngine()[native].ggml.getTypeTraits(type);
    const read = (offset: number) => Number(koffi.decode(traits, offset, "int64_t"));
    expect(typeInfo(type)).toEqual({
      name,
      blockSize: read(TYPE_TRAITS_LAYOUT.blckSize),
      typeSize: read(TYPE_TRAITS_LAYOUT.typeSize),
    });
  });

  it("refuses numbers that are no type", () => {
    expect([isGgmlType(2), isGgmlType(4), isGgmlType(-1)]).toEqual([true, false, false]);
    expect(() => typeInfo(4)).toThrowError(expect.objectContaining({ code: "TENSOR_TYPE_UNSUPPORTED" }));
  });
});

describe("rowSize", () => {
  it("counts whole blocks", () => {
    expect([rowSize(GgmlType.F32, 10), rowSize(GgmlType.Q8_0, 4096), rowSize(GgmlType.Q4_K, 512)]).toEqual([
      40, 4352, 288,
    ]);
    expect(() => rowSize(GgmlType.Q4_K, 300)).toThrow(
      /Q4_K stores blocks of 256 elements, so it can't hold a row of 300/,
    );
  });
});
