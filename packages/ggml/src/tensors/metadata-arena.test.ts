import { describe, expect, it } from "vitest";
import { native } from "../bindings/pointer.js";
import { GgmlType } from "../elements/ggml-type.js";
import { openEngine } from "../native/engine.js";
import { type Extents, MetadataArena } from "./metadata-arena.js";

const engine = openEngine()[native];
const open = () => new MetadataArena(engine, "test arena", MetadataArena.tensorBytes(engine, 8));
const describeTensor = (arena: MetadataArena, ne: Extents) =>
  engine.ggml.newTensor4d(arena.context, GgmlType.F32, ...ne);

describe("MetadataArena", () => {
  it("reads and patches descriptions in place, also beyond 32 bits", () => {
    const arena = open();
    const tensor = describeTensor(arena, [2, 3, 4, 5]);
    expect([arena.readType(tensor), arena.readNe(tensor)]).toEqual([GgmlType.F32, [2, 3, 4, 5]]);
    const ne: Extents = [2 ** 31, 2 ** 32 + 7, 1, 2 ** 40];
    const nb: Extents = [2, 2 ** 33, 2 ** 45 + 2, 2 ** 50];
    arena.patch(tensor, { type: GgmlType.F16, ne, nb });
    expect([arena.readType(tensor), arena.readNe(tensor), arena.readNb(tensor)]).toEqual([GgmlType.F16, ne, nb]);
    arena.close();
  });

  it("gives ggml the patched description", () => {
    const arena = open();
    const tensor = describeTensor(arena, [4, 4, 1, 1]);
    arena.patch(tensor, { type: GgmlType.F16, ne: [8, 2, 1, 1], nb: [2, 16, 32, 32] });
    expect(engine.ggml.nbytes(tensor)).toBe(32);
    arena.close();
  });

  it("holds several tensors apart", () => {
    const arena = open();
    const shapes: readonly Extents[] = [
      [1, 1, 1, 1],
      [2, 1, 1, 1],
      [3, 3, 1, 1],
    ];
    const tensors = shapes.map((ne) => describeTensor(arena, ne));
    expect(tensors.map((tensor) => arena.readNe(tensor))).toEqual(shapes);
    arena.close();
  });

  it("has no data for a tensor that is only described", () => {
    const arena = open();
    expect(arena.hasData(describeTensor(arena, [4, 1, 1, 1]))).toBe(false);
    arena.close();
  });

  it("starts a new generation with each reset, in the same memory", () => {
    const arena = open();
    for (let step = 0; step < 5; step++) {
      expect(arena.generation).toBe(step);
      for (let i = 0; i < 8; i++) describeTensor(arena, [i + 1, 1, 1, 1]);
      expect(() => arena.check(step)).not.toThrow();
      arena.reset();
      expect(() => arena.check(step)).toThrow("A tensor of the test arena was used after the test arena was reset.");
    }
    arena.close();
  });

  it("refuses everything once closed, but to be closed again", () => {
    const arena = open();
    arena.close();
    arena.close();
    expect(arena.isOpen).toBe(false);
    expect(() => arena.checkOpen()).toThrow("The test arena was used after it was closed.");
    expect(() => arena.reset()).toThrow("The test arena was used after it was closed.");
    expect(() => arena.check(0)).toThrow("after the test arena was closed");
  });
});
