import { readFileSync } from "node:fs";
import { RhoneError } from "@rhone/common/rhone-error";
import { MAIN_PACKAGES, thisPlatform } from "./main-packages.js";

/**
 * Names under @node-llama-cpp of prebuilt device backends, by platform and kind. macOS' main package includes Metal.
 */
const DEVICE_PACKAGES: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  "linux-x64": { cuda: ["linux-x64-cuda", "linux-x64-cuda-ext"], vulkan: ["linux-x64-vulkan"] },
  "win32-x64": { cuda: ["win-x64-cuda", "win-x64-cuda-ext"], vulkan: ["win-x64-vulkan"] },
  "darwin-arm64": { metal: [] },
};

/** All device packages for `platform`, such as "linux-x64". */
export const devicePackagesOf = (platform: string): readonly string[] =>
  Object.values(DEVICE_PACKAGES[platform] ?? {}).flat();

/**
 * The packages to install for devices of `kind` ("cuda", "vulkan", "metal"), pinned to the main package's version;
 * empty when the main package suffices. Throws DEVICE_NOT_FOUND naming the platform's kinds.
 */
export function devicePackages(kind: string, platform = thisPlatform()): readonly string[] {
  const kinds = DEVICE_PACKAGES[platform] ?? {};
  const names = kinds[kind];
  if (names !== undefined) return names.map((name) => `@node-llama-cpp/${name}@${pinnedVersion(platform)}`);
  const known = Object.keys(kinds).join(" and ") || "none";
  throw new RhoneError(
    "DEVICE_NOT_FOUND",
    `There is no prebuilt "${kind}" backend for ${platform}; available: ${known}.`,
  );
}

function pinnedVersion(platform: string): string {
  const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  return manifest.optionalDependencies[`@node-llama-cpp/${MAIN_PACKAGES[platform]?.name}`];
}
