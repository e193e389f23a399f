import { kernelsPlatform } from "./platform.js";

/** By platform, the variants whose tests have passed on hardware, not only under an emulator. */
const VERIFIED: Readonly<Record<string, readonly string[]>> = {
  "linux-x64": ["amx-int8", "avx512-vnni", "avx2"],
  "linux-x64-musl": ["amx-int8", "avx512-vnni", "avx2"],
};

/** Whether `auto` may choose the variant: others compute only when they are named. */
export const isVerified = (variant: string, platform = kernelsPlatform()): boolean =>
  VERIFIED[platform]?.includes(variant) === true;
