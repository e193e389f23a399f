import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fileHash, sourcesHash } from "../records/build-record.js";
import { LIBRARY_NAME } from "../records/platform.js";
import { findKernels } from "./find-kernels.js";

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "rhone-kernels-"));
  mkdirSync(join(root, "native"));
  writeFileSync(join(root, "native", "ops.cpp"), "int rk_abi() { return 1; }");
});
afterEach(() => rmSync(root, { recursive: true }));

/** A folder of libraries with one for "moon-x64", recorded as it is. */
function library(folder: "build" | "prebuilt", sources = sourcesHash(join(root, "native"))): string {
  const path = join(root, folder, "moon-x64", LIBRARY_NAME);
  mkdirSync(join(root, folder, "moon-x64"), { recursive: true });
  writeFileSync(path, `${folder} library`);
  const record = { sources, compiler: "c++", files: { [`moon-x64/${LIBRARY_NAME}`]: fileHash(path) } };
  writeFileSync(join(root, folder, "hashes.json"), JSON.stringify(record));
  return path;
}

describe("findKernels", () => {
  it("takes a local build of the present sources before the prebuilt library", () => {
    const [local, prebuilt] = [library("build"), library("prebuilt")];
    expect(findKernels(root, "moon-x64")).toEqual({ path: local, origin: "local" });
    writeFileSync(join(root, "native", "ops.cpp"), "int rk_abi() { return 2; }");
    expect(findKernels(root, "moon-x64")).toEqual({ path: prebuilt, origin: "prebuilt" });
  });

  it("takes a prebuilt library without looking at the sources, which a package need not have", () => {
    const path = library("prebuilt", "of other sources");
    rmSync(join(root, "native"), { recursive: true });
    expect(findKernels(root, "moon-x64")).toEqual({ path, origin: "prebuilt" });
  });

  it("says what to do on a platform without a library", () => {
    library("prebuilt");
    expect(() => findKernels(root, "mars-x64")).toThrow(
      expect.objectContaining({
        code: "KERNELS_UNAVAILABLE",
        message:
          "Rhone has no prebuilt kernels for mars-x64. Compile them with `npm run build:kernels`, which needs a C++ " +
          "compiler.",
      }),
    );
  });

  it("refuses a library of other bytes than the recorded ones, with both hashes", () => {
    const path = library("prebuilt");
    const recorded = fileHash(path);
    writeFileSync(path, "something else");
    expect(() => findKernels(root, "moon-x64")).toThrow(
      expect.objectContaining({
        code: "KERNELS_UNAVAILABLE",
        message: expect.stringMatching(
          `SHA-256 is ${fileHash(path)}, the recorded one ${recorded}. Check it out again with git`,
        ),
      }),
    );
    rmSync(path);
    expect(() => findKernels(root, "moon-x64")).toThrow("SHA-256 is no file");
  });
});
