import { readFileSync } from "node:fs";
import { RhoneError } from "@rhone/common";

/** Prebuilt device backends by platform and kind, as names under @node-llama-cpp. Metal is part of the main package of its platform. */
const DEVICE_PACKAGES: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  "linux-x64": { cuda: ["linux-x64-cuda", "linux-x64-cuda-ext"], vulkan: ["linux-x64-vulkan"] },
  "linux-arm64": { cuda: ["linux-arm64-cuda"], vulkan: ["linux-arm64-vulkan"] },
  "win32-x64": { cuda: ["win-x64-cuda", "win-x64-cuda-ext"], vulkan: ["win-x64-vulkan"] },
  "darwin-arm64": { metal: [] },
};

/** Every device package that exists for `platform`, such as "linux-x64". */
export const devicePackagesOf = (platform: string): readonly string[] =>
  Object.values(DEVICE_PACKAGES[platform] ?? {}).flat();

/**
 * What to install for devices of `kind` ("cuda", "vulkan", "metal"), pinned to the version of the main package; empty when the
 * main package has it. Throws DEVICE_NOT_FOUND, naming the kinds of this platform.
 */
export function devicePackages(kind: string, platform = `${process.platform}-${process.arch}`): readonly string[] {
  const kinds = DEVICE_PACKAGES[platform] ?? {};
  const names = kinds[kind];
  if (names !== undefined) return names.map((name) => `@node-llama-cpp/${name}@${pinnedVersion()}`);
  const known = Object.keys(kinds).join(" and ") || "none";
  throw new RhoneError("DEVICE_NOT_FOUND", `No prebuilt "${kind}" devices exist for ${platform}; there are: ${known}.`);
}

function pinnedVersion(): string {
  const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  return manifest.optionalDependencies["@node-llama-cpp/linux-x64"];
}
