import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { temporaryFolder } from "../testing/small-files.js";
import { findLibraries } from "./find-libraries.js";

const folder = temporaryFolder("libraries");
afterAll(() => rmSync(folder, { recursive: true }));
const folderOf = (...files: readonly string[]) => {
  const dir = mkdtempSync(join(folder, "build-"));
  for (const file of files) writeFileSync(join(dir, file), "");
  return dir;
};

describe("findLibraries", () => {
  it.each([
    { base: "libggml-base.so", registry: "libggml.v0.5.0.so", llama: "libllama.v0.5.0.so" },
    { base: "libggml-base.so.0", registry: "libggml.so.0.25.1", llama: "libllama.so" },
    { base: "libggml-base.dylib", registry: "libggml.0.25.1.dylib", llama: "libllama.dylib" },
    { base: "ggml-base.dll", registry: "ggml.dll", llama: "llama.dll" },
  ])("knows the files of each platform: $registry", ({ base, registry, llama }) => {
    const dir = folderOf(base, registry, llama, "libggml-cpu.so", "libllama-common.so", "libggml-base.txt");
    expect(findLibraries(dir)).toEqual({
      dir,
      base: join(dir, base),
      registry: join(dir, registry),
      llama: join(dir, llama),
      extraBackends: [],
      pinned: false,
    });
  });

  it("takes this platform's prebuilt package without a folder", () => {
    const found = findLibraries();
    expect(found.pinned).toBe(true);
    expect(found.dir).toContain("@node-llama-cpp");
    for (const file of [found.base, found.registry, found.llama]) expect(file.startsWith(found.dir)).toBe(true);
  });

  it("names a folder that does not exist, and says what to do", () => {
    const missing = join(folder, "none");
    expect(() => findLibraries(missing)).toThrow(
      expect.objectContaining({
        code: "GGML_LIBRARY_MISSING",
        message: `There is no folder ${missing}. Point RHONE_GGML_DIR at a build of llama.cpp, or unset it for the prebuilt one.`,
      }),
    );
  });

  it.each([
    { lacks: "libggml-base", files: ["libggml.so", "libllama.so", "libggml-cpu-x64.so"] },
    { lacks: "libggml", files: ["libggml-base.0.dylib", "libllama.so.0", "libggml-cpu-x64.so"] },
    { lacks: "libllama", files: ["libggml-base.so", "libggml.so", "libllama-common.so"] },
  ])("names the $lacks that a folder lacks", ({ lacks, files }) => {
    const dir = folderOf(...files);
    expect(() => findLibraries(dir)).toThrow(
      expect.objectContaining({
        code: "GGML_LIBRARY_MISSING",
        message: expect.stringContaining(`${dir} has no ${lacks} (.so, .dylib or .dll).`),
      }),
    );
  });
});
