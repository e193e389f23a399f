import { afterAll, beforeAll, expect, it } from "vitest";
import { Backend } from "../backend/backend.js";
import { GgmlType } from "../elements/ggml-type.js";
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
