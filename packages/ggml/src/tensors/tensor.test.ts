import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Backend } from "../backend/backend.js";
import { native } from "../bindings/pointer.js";
import { GgmlType } from "../elements/ggml-type.js";
import { openEngine } from "../native/engine.js";
import { MetadataArena } from "./metadata-arena.js";
import { checkRange, shapeOf, Tensor } from "./tensor.js";

const engine = openEngine()[native];
let backend: Backend;
beforeAll(() => {
  backend = Backend.open(openEngine(), { threads: 1 });
});
afterAll(() => backend.close());

const openArena = (tensors = 16) => new MetadataArena(engine, "test arena", MetadataArena.tensorBytes(engine, tensors));
const create = (owner: MetadataArena, type: GgmlType, ne: readonly [number, number?, number?, number?]) =>
  new Tensor(owner, engine.ggml.newTensor4d(owner.context, type, ...shapeOf(ne)));

describe("shapeOf", () => {
  it.each([
    { ne: [7], shape: [7, 1, 1, 1] },
    { ne: [7, 2], shape: [7, 2, 1, 1] },
    { ne: [7, 2, 3], shape: [7, 2, 3, 1] },
    { ne: [7, 2, 3, 4], shape: [7, 2, 3, 4] },
    { ne: [0, 5], shape: [0, 5, 1, 1] },
  ] as const)("of $ne is $shape", ({ ne, shape }) => {
    expect(shapeOf(ne)).toEqual(shape);
  });
});

describe("Tensor", () => {
  it.each([
    { type: "F32", ne: [64, 2], nb: [4, 256, 512, 512], bytes: 512 },
    { type: "F16", ne: [4, 2, 3], nb: [2, 8, 16, 48], bytes: 48 },
    { type: "I64", ne: [5], nb: [8, 40, 40, 40], bytes: 40 },
    { type: "Q8_0", ne: [64, 3], nb: [34, 68, 204, 204], bytes: 204 },
    { type: "Q4_K", ne: [512, 2, 2, 2], nb: [144, 288, 576, 1152], bytes: 2304 },
    { type: "F32", ne: [3, 0], nb: [4, 12, 0, 0], bytes: 0 },
  ] as const)("describes $type $ne as ggml lays it out", ({ type, ne, nb, bytes }) => {
    const owner = openArena();
    const tensor = create(owner, GgmlType[type], ne);
    expect(tensor.type).toBe(GgmlType[type]);
    expect(tensor.ne).toEqual(shapeOf(ne));
    expect(tensor.nb).toEqual(nb);
    expect(tensor.packedBytes).toBe(bytes);
    expect(tensor.isPacked).toBe(true);
    expect(`${tensor}`).toBe(`${type} [${shapeOf(ne).join(", ")}]`);
    if (bytes > 0) expect(engine.ggml.nbytes(tensor[native])).toBe(bytes);
    owner.close();
  });

  it("is not packed with gaps between rows, or in another order", () => {
    const owner = openArena();
    const whole = create(owner, GgmlType.F32, [8, 4]);
    const gaps = new Tensor(owner, engine.ggml.view2d(owner.context, whole[native], 4, 4, 32, 0));
    const overlapping = new Tensor(owner, engine.ggml.view2d(owner.context, whole[native], 8, 4, 16, 0));
    const part = new Tensor(owner, engine.ggml.view2d(owner.context, whole[native], 8, 2, 32, 64));
    expect([gaps, overlapping, part].map((tensor) => tensor.isPacked)).toEqual([false, false, true]);
    owner.close();
  });

  it("is refused after its owner was reset or closed, by whatever is read of it", () => {
    const owner = openArena();
    const old = create(owner, GgmlType.F32, [4]);
    owner.reset();
    const later = create(owner, GgmlType.F32, [4]);
    const reads = [(t: Tensor) => t.ne, (t: Tensor) => t.nb, (t: Tensor) => t.type, (t: Tensor) => t[native], String];
    for (const read of reads) {
      expect(() => read(old)).toThrow("A tensor of the test arena was used after the test arena was reset.");
      expect(() => read(later)).not.toThrow();
    }
    owner.close();
    for (const read of reads)
      expect(() => read(later)).toThrow("A tensor of the test arena was used after the test arena was closed.");
  });
});

describe("checkRange", () => {
  const owner = openArena();
  const tensor = create(owner, GgmlType.F32, [4]);

  it.each([
    { offsetBytes: 0, bytes: 16 },
    { offsetBytes: 16, bytes: 0 },
    { offsetBytes: 4, bytes: 8 },
  ])("allows $bytes bytes from $offsetBytes of 16", (range) => {
    expect(() => checkRange(tensor, { ...range, total: 16 })).not.toThrow();
  });

  it.each([
    { offsetBytes: -1, bytes: 4, range: "Bytes -1 to 3" },
    { offsetBytes: 0, bytes: 17, range: "Bytes 0 to 17" },
    { offsetBytes: 17, bytes: 0, range: "Bytes 17 to 17" },
    { offsetBytes: Number.NaN, bytes: 4, range: "Bytes NaN to NaN" },
  ])("refuses $bytes bytes from $offsetBytes", ({ offsetBytes, bytes, range }) => {
    const check = (name?: string) => () =>
      checkRange(tensor, { offsetBytes, bytes, total: 16, ...(name === undefined ? {} : { name }) });
    expect(check()).toThrow(`${range} are outside F32 [4, 1, 1, 1], which takes 16 bytes.`);
    expect(check("k")).toThrow(`${range} are outside "k" (F32 [4, 1, 1, 1]), which takes 16 bytes.`);
  });
});
