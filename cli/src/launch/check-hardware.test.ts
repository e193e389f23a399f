import { openEngine } from "@rhone/ggml";
import { expect, test } from "vitest";
import { checkHardware } from "./check-hardware.js";

const USUAL = { device: "CPU", kernels: "auto", ggmlDir: undefined } as const;
const FOREIGN = process.arch === "arm64" ? "avx2" : "neon-dotprod";

test("a device that the machine lacks is refused with the names of those that it has", () => {
  const names = openEngine()
    .devices()
    .map(({ name }) => name);
  const message = `There is no device "CUDA9"; this machine has ${names.join(", ")}.`;
  const error = expect.objectContaining({ code: "DEVICE_NOT_FOUND", message });
  expect(() => checkHardware({ ...USUAL, device: "CUDA9" })).toThrow(error);
});

test("kernels of another processor are refused with the choices that remain", () => {
  const message = expect.stringMatching(/^This processor can't run the kernels .*; it runs .* Set .* auto or ggml\.$/);
  const error = expect.objectContaining({ code: "KERNELS_UNAVAILABLE", message });
  expect(() => checkHardware({ ...USUAL, kernels: FOREIGN })).toThrow(error);
});

test("what the machine has is accepted, its name in any case", () => {
  for (const kernels of ["auto", "ggml"] as const) checkHardware({ ...USUAL, device: "cpu", kernels });
});

test("what every machine has needs no library", () => {
  checkHardware({ ...USUAL, ggmlDir: "/nowhere" });
});
