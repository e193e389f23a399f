import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fileHash, readRecord, sourcesHash, sourcesIn } from "./build-record.js";

const PACKAGE = fileURLToPath(new URL("../..", import.meta.url));

let native = "";
const write = (name: string, text: string) => writeFileSync(join(native, name), text);
beforeEach(() => {
  native = mkdtempSync(join(tmpdir(), "rhone-native-"));
  for (const folder of ["products", "testing"]) mkdirSync(join(native, folder));
  write("ops.cpp", "one");
  write("products/pack.cpp", "two");
});
afterEach(() => rmSync(native, { recursive: true }));

describe("sourcesHash", () => {
  it.each([
    ["another text", "ops.cpp", "other"],
    ["another file", "products/avx2.cpp", ""],
    ["a header", "kernels.h", ""],
  ])("changes with %s", (_, name, text) => {
    const before = sourcesHash(native);
    write(name, text);
    expect(sourcesHash(native)).not.toBe(before);
  });

  it("does not change with tests and other files", () => {
    const before = sourcesHash(native);
    write("testing/driver.cpp", "test");
    write("README.md", "text");
    expect(sourcesHash(native)).toBe(before);
    expect(sourcesIn(native)).toEqual(["ops.cpp", "products/pack.cpp"]);
  });
});

describe("The prebuilt libraries", () => {
  const folder = join(PACKAGE, "prebuilt");
  const record = readRecord(folder);

  it("are compiled from the sources as they are: run `node packages/kernels/build.mjs --prebuilt`", () => {
    expect(record?.sources).toBe(sourcesHash(join(PACKAGE, "native")));
  });

  it("are the recorded files", () => {
    const entries = Object.entries(record?.files ?? {});
    expect(entries.map(([name]) => name)).toContain("linux-x64/librhone-kernels.so");
    for (const [name, hash] of entries) expect([name, fileHash(join(folder, name))]).toEqual([name, hash]);
  });
});
