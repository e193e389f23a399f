import koffi from "koffi";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Backend } from "../backend/backend.js";
import { TENSOR_LAYOUT } from "../bindings/ggml.js";
import { native } from "../bindings/pointer.js";
import { GgmlType } from "../elements/ggml-type.js";
import { openEngine } from "../native/engine.js";
import { GraphMemory } from "./graph-memory.js";

let backend: Backend;
let memory: GraphMemory;
beforeAll(() => {
  backend = Backend.open(openEngine(), { threads: 1 });
});
afterAll(() => backend.close());
beforeEach(() => {
  memory = new GraphMemory(backend[native], 8);
  return () => memory.close();
});
const { ggml } = openEngine()[native];
const input = (n = 16) => memory.input(GgmlType.F32, [n, 1, 1, 1]);
/** Describes an operation and has it computed. */
const expand = () => {
  const x = input();
  const sum = memory.own(ggml.add(memory.context, memory.use(x), memory.use(x)));
  ggml.buildForwardExpand(memory.graph, sum[native]);
  return sum;
};

describe("GraphMemory", () => {
  it("holds as many tensors as it was opened for, and no more", () => {
    const x = input();
    for (let i = 1; i < 8; i++) memory.own(ggml.add(memory.context, memory.use(x), memory.use(x)));
    expect(() => memory.use(x)).toThrow(
      "A step describes more than 8 tensors; open the graph with a greater maxTensors.",
    );
    expect(() => input()).toThrow("more than 8 tensors");
    expect(() => memory.graph).not.toThrow();
  });

  it("has room for an odd input as the last tensor, which describes two", () => {
    for (let i = 0; i < 7; i++) input();
    expect(input(3).ne).toEqual([3, 1, 1, 1]);
    expect(() => input()).toThrow("more than 8 tensors");
  });

  it.each([
    { name: "whole cache lines", n: 16, type: "F32", leaf: 64 },
    { name: "an odd f32 row", n: 3, type: "F32", leaf: 64 },
    { name: "a little more than a line", n: 17, type: "F32", leaf: 128 },
    { name: "a single f16", n: 1, type: "F16", leaf: 64 },
    { name: "ids of 8 bytes", n: 9, type: "I64", leaf: 128 },
  ] as const)("gives inputs whole cache lines: $name", ({ n, type, leaf }) => {
    const inputs = [0, 1].map(() => memory.input(GgmlType[type], [n, 1, 1, 1]));
    for (const tensor of inputs) ggml.buildForwardExpand(memory.graph, tensor[native]);
    memory.allocate();
    const [a = 0n, b = 0n] = inputs.map((tensor) => memory.withData(tensor, "test")).map(dataOf);
    expect(b - a).toBe(BigInt(leaf));
    expect(inputs.map((tensor) => [tensor.type, tensor.ne, tensor.isPacked])).toEqual(
      inputs.map(() => [GgmlType[type], [n, 1, 1, 1], true]),
    );
  });

  it("starts each step empty", () => {
    for (let step = 0; step < 3; step++) {
      for (let i = 0; i < 8; i++) input();
      expect(() => input()).toThrow("more than 8 tensors");
      memory.reset();
    }
    expect(() => input()).not.toThrow();
  });
});

describe("What GraphMemory allows in each phase", () => {
  it("while building: describing, and no computation", () => {
    const sum = expand();
    expect(() => memory.beginCompute()).toThrow("A graph must be allocated before it is computed.");
    expect(() => memory.withData(sum, "read")).toThrow(
      "read: F32 [16, 1, 1, 1] has no memory. Expand or output what needs it, then allocate the graph.",
    );
  });

  it("once allocated: data and computation, and no describing", () => {
    const sum = expand();
    memory.allocate();
    expect(() => memory.withData(sum, "read")).not.toThrow();
    for (const grow of [() => memory.use(sum), () => input(), () => memory.graph, () => memory.allocate()])
      expect(grow).toThrow("A graph can't grow once it is allocated; call reset() to start the next step.");
    memory.beginCompute().finish();
  });

  it("while computing: nothing, until it is finished", () => {
    const sum = expand();
    memory.allocate();
    const { finish } = memory.beginCompute();
    expect(() => memory.withData(sum, "setInput")).toThrow("setInput must wait: the graph is being computed.");
    expect(() => memory.use(sum)).toThrow("Building must wait: the graph is being computed.");
    expect(() => memory.reset()).toThrow("reset must wait: the graph is being computed.");
    expect(() => memory.close()).toThrow("close must wait: the graph is being computed.");
    expect(() => memory.beginCompute()).toThrow("compute must wait: the graph is being computed.");
    finish();
    memory.reset();
  });

  it("once closed: nothing but to be closed again", () => {
    const sum = expand();
    memory.close();
    memory.close();
    for (const action of [() => memory.use(sum), () => input(), () => memory.reset(), () => memory.allocate()])
      expect(action).toThrow("The graph was used after it was closed.");
  });
});

/** Where a tensor's data is: a field of `struct ggml_tensor`. */
function dataOf(tensor: bigint): bigint {
  return koffi.decode(tensor, TENSOR_LAYOUT.data, "void *") as bigint;
}
