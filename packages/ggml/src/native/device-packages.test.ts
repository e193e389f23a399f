import { expect, it } from "vitest";
import { devicePackages, devicePackagesOf } from "./device-packages.js";

it("names the packages of a kind, pinned to one version", () => {
  const names = devicePackages("cuda", "linux-x64");
  expect(names.map((name) => name.replace(/@[\d.]+$/, ""))).toEqual([
    "@node-llama-cpp/linux-x64-cuda",
    "@node-llama-cpp/linux-x64-cuda-ext",
  ]);
  for (const name of names) expect(name).toMatch(/@3\.22\.1$/);
  for (const name of devicePackages("vulkan", "win32-x64")) expect(name).toMatch(/@3\.21\.1$/);
  expect(devicePackages("metal", "darwin-arm64")).toEqual([]);
});

it("names the kinds that a platform has", () => {
  expect(() => devicePackages("metal", "linux-x64")).toThrow(
    'There is no prebuilt "metal" backend for linux-x64; available: cuda and vulkan.',
  );
  expect(() => devicePackages("cuda", "sunos-x64")).toThrow(/available: none/);
  expect(devicePackagesOf("sunos-x64")).toEqual([]);
});
