import { expect, it } from "vitest";
import { devicePackages, devicePackagesOf } from "./device-packages.js";

it("names the packages of a kind, pinned to one version", () => {
  const names = devicePackages("cuda", "linux-x64");
  expect(names.map((name) => name.replace(/@[\d.]+$/, ""))).toEqual([
    "@node-llama-cpp/linux-x64-cuda",
    "@node-llama-cpp/linux-x64-cuda-ext",
  ]);
  for (const name of names) expect(name).toMatch(/@\d+\.\d+\.\d+$/);
  expect(devicePackages("metal", "darwin-arm64")).toEqual([]);
});

it("says which kinds a platform has", () => {
  expect(() => devicePackages("metal", "linux-x64")).toThrow(
    'No prebuilt "metal" devices exist for linux-x64; there are: cuda and vulkan.',
  );
  expect(() => devicePackages("cuda", "sunos-x64")).toThrow(/there are: none/);
  expect(devicePackagesOf("sunos-x64")).toEqual([]);
});
