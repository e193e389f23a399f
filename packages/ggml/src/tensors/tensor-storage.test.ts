import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Backend } from "../backend/backend.js";
import { GgmlType } from "../elements/ggml-type.js";
import { Graph } from "../graph/graph.js";
import { openEngine } from "../native/engine.js";
import { TensorStorage } from "./tensor-storage.js";

const engine = openEngine();
let backend: Backend;
beforeAll(() => {
  backend = Backend.open(engine, { threads: 1 });
});
afterAll(() => backend.close());

it("holds named tensors that can be zeroed, written and read in part", () => {
  const storage = TensorStorage.open(backend, [
    { name: "k", type: GgmlType.F32, ne: [4, 2] },
    { name: "v", type: GgmlType.F16, ne: [4, 2, 3] },
  ]);
  expect(storage.names).toEqual(["k", "v"]);
  expect([storage.get("v").ne, storage.get("v").nb]).toEqual([
    [4, 2, 3, 1],
    [2, 8, 16, 48],
  ]);
  expect(`${storage.get("k")}`).toBe("F32 [4, 2, 1, 1]");
  storage.set("k", new Float32Array(8).fill(Number.NaN));
  storage.zero("k", 4, 20);
  expect([...storage.read("k", new Float32Array(8))].map(Number.isNaN)).toEqual([1, 0, 0, 0, 0, 0, 1, 1].map(Boolean));
  storage.zero("k");
  storage.set("k", Float32Array.of(7, 8), 12);
  expect([...storage.read("k", new Float32Array(8))]).toEqual([0, 0, 0, 7, 8, 0, 0, 0]);
  expect([...storage.read("k", new Float32Array(1), 16)]).toEqual([8]);
  storage.close();
});

it("refuses bytes outside a tensor, unknown names, impossible shapes, and use once closed", () => {
  const storage = TensorStorage.open(backend, [{ name: "k", type: GgmlType.F32, ne: [4] }]);
  const k = storage.get("k");
  expect(() => storage.set("k", new Float32Array(2), 12)).toThrow(
    /Bytes 12 to 20 are outside "k" \(F32 \[4, 1, 1, 1\]\), which takes 16 bytes/,
  );
  expect(() => storage.read("k", new Float32Array(1), -4)).toThrow(/Bytes -4 to 0 are outside/);
  expect(() => storage.zero("k", 8, 12)).toThrow(/Bytes 8 to 20 are outside/);
  expect(() => storage.get("q")).toThrowError(expect.objectContaining({ code: "TENSOR_MISSING" }));
  storage.close();
  expect(() => storage.read("k", new Float32Array(1))).toThrow(/closed/);
  expect(() => k.ne).toThrow(/closed/);
  expect(() => TensorStorage.open(backend, [{ name: "x", type: GgmlType.F32, ne: [4, -1] }])).toThrow(
    /impossible shape/,
  );
});

it("may be empty", () => {
  const storage = TensorStorage.open(backend, []);
  expect(storage.bytes).toBe(0);
  storage.close();
});

it("isn't closed under a write in flight", async () => {
  const storage = TensorStorage.open(backend, [{ name: "k", type: GgmlType.F32, ne: [1024] }]);
  const written = storage.setAsync("k", new Float32Array(1024).fill(3));
  expect(() => storage.close()).toThrow(/while it is written to/);
  await written;
  expect(storage.read("k", new Float32Array(1), 4092)[0]).toBe(3);
  storage.close();
});

describe("TensorStorage.open", () => {
  it.each([
    { ne: [4, -1], shape: "4, -1" },
    { ne: [4, 1.5], shape: "4, 1.5" },
    { ne: [4, 2, Number.NaN], shape: "4, 2, NaN" },
    { ne: [4, 2 ** 53], shape: "4, 9007199254740992" },
  ] as const)("refuses the shape [$shape]", ({ ne, shape }) => {
    expect(() => TensorStorage.open(backend, [{ name: "x", type: GgmlType.F32, ne }])).toThrow(
      `Tensor "x" has the impossible shape [${shape}].`,
    );
  });

  it("refuses a row that its type can't hold", () => {
    expect(() => TensorStorage.open(backend, [{ name: "x", type: GgmlType.Q8_0, ne: [33] }])).toThrow(
      expect.objectContaining({
        code: "TENSOR_TYPE_UNSUPPORTED",
        message: "Q8_0 stores blocks of 32 elements, so it can't hold a row of 33. Choose F16 or Q8_0.",
      }),
    );
  });

  it("says what is needed and what the device has, when that is less", () => {
    const specs = ["k", "v"].map((name) => ({ name, type: GgmlType.F32, ne: [2 ** 20, 2 ** 22] }) as const);
    const { memoryTotal } = backend.device;
    expect(() => TensorStorage.open(backend, specs)).toThrow(
      expect.objectContaining({
        code: "OUT_OF_MEMORY",
        message:
          `2 tensors need 35184372088832 bytes of CPU memory, but device CPU has ${memoryTotal}. ` +
          "Use more workers, a smaller type or a shorter context.",
      }),
    );
  });

  it("puts tensors into the buffer type that is asked for", () => {
    const bufferType = backend.bufferTypes().at(-1);
    const spec = { name: "k", type: GgmlType.F32, ne: [1024, 1024] } as const;
    const storage = TensorStorage.open(backend, [spec], { ...(bufferType && { bufferType }), readWhole: true });
    expect(storage.bytes).toBeGreaterThanOrEqual(4 * 1024 * 1024);
    storage.zero("k");
    expect(storage.read("k", new Float32Array(2), 4 * 1024 * 1024 - 8)).toEqual(new Float32Array(2));
    storage.close();
  });
});

it("writes off the event loop in the order of the calls, and refuses what is outside at once", async () => {
  const storage = TensorStorage.open(backend, [{ name: "k", type: GgmlType.F32, ne: [8] }]);
  storage.zero("k");
  await Promise.all([
    storage.setAsync("k", Float32Array.of(1, 2), 0),
    storage.setAsync("k", Float32Array.of(3, 4), 8),
    expect(storage.setAsync("k", Float32Array.of(5), 32)).rejects.toThrow('Bytes 32 to 36 are outside "k"'),
    expect(storage.setAsync("q", Float32Array.of(5))).rejects.toThrow(
      'There is no tensor "q" among the 1 of this storage.',
    ),
  ]);
  expect([...storage.read("k", new Float32Array(8))]).toEqual([1, 2, 3, 4, 0, 0, 0, 0]);
  storage.close();
});

it("refuses a closed backend, and to be closed while a graph of its backend is computed", async () => {
  const other = Backend.open(engine, { threads: 1 });
  const storage = TensorStorage.open(other, [{ name: "k", type: GgmlType.F32, ne: [256, 256] }]);
  storage.zero("k");
  const graph = Graph.open(other, { maxTensors: 16 });
  const x = graph.input(GgmlType.F32, [256, 64]);
  graph.output(graph.mulMat(storage.get("k"), x));
  graph.allocate();
  graph.setInput(x, new Float32Array(256 * 64));
  const computed = other.compute(graph);
  expect(() => storage.close()).toThrow("Closing a tensor storage must wait: the backend has 1 graph(s) to compute.");
  await computed;
  storage.close();
  storage.close();
  graph.close();
  other.close();
  expect(() => TensorStorage.open(other, [])).toThrow("The backend was used after it was closed.");
});
