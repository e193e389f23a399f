import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { findKernels, type KernelsFile, kernelsPlatform, LIBRARY_NAME } from "@rhone/kernels";
import { afterAll, describe, expect, it, vi } from "vitest";
import { openEngine } from "../native/engine.js";
import { temporaryFolder } from "../testing/small-files.js";
import { chooseKernels } from "./open-kernels.js";

const folder = temporaryFolder("changed-kernels");
afterAll(() => rmSync(folder, { recursive: true }));

vi.mock("@rhone/kernels", async (original) => {
  const kernels = await original<typeof import("@rhone/kernels")>();
  return { ...kernels, findKernels: (root = folder): KernelsFile => kernels.findKernels(root) };
});

const PACKAGE = fileURLToPath(new URL("../../../kernels/", import.meta.url));
const library = join("prebuilt", kernelsPlatform(), LIBRARY_NAME);

function prebuiltHere(): boolean {
  try {
    return findKernels(PACKAGE).origin === "prebuilt";
  } catch {
    return false;
  }
}

describe.skipIf(!prebuiltHere())("A prebuilt library with one bit changed", () => {
  cpSync(join(PACKAGE, "prebuilt"), join(folder, "prebuilt"), { recursive: true });
  const bytes = readFileSync(join(folder, library));
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
  writeFileSync(join(folder, library), bytes);
  const engine = openEngine();

  it("is named, and ggml computes", () => {
    const { kernels, notice } = chooseKernels(engine, "auto");
    expect(kernels).toBeUndefined();
    expect(notice?.code).toBe("KERNELS_UNAVAILABLE");
    expect(notice?.message).toMatch(/librhone-kernels\.so is not the library that its build recorded/);
    expect(notice?.message).toContain(join(folder, library));
  });

  it("is an error where a variant was asked for by name", () => {
    expect(() => chooseKernels(engine, "avx2")).toThrow(expect.objectContaining({ code: "KERNELS_UNAVAILABLE" }));
  });
});
