import { describe, expect, it } from "vitest";
import { isVerified } from "./verified.js";

describe("isVerified", () => {
  it.each([
    ["avx2", "linux-x64", true],
    ["amx-int8", "linux-x64-musl", true],
    ["avx2", "darwin-x64", false],
    ["neon-dotprod", "linux-arm64", false],
    ["neon-dotprod", "linux-x64", false],
    ["avx2", "moon-x64", false],
  ])("%s on %s: %s", (variant, platform, verified) => {
    expect(isVerified(variant, platform)).toBe(verified);
  });
});
