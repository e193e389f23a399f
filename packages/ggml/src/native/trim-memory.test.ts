import { describe, expect, it } from "vitest";
import { openLibrary } from "./open-library.js";
import { trimMemory } from "./trim-memory.js";

const isGlibc = process.platform === "linux" && "glibcVersionRuntime" in (process.report.getReport() as Report).header;
interface Report {
  readonly header: object;
}

const MB = 1024 * 1024;
/** Below the size from which glibc maps each block, and unmaps it when it is freed. */
const BLOCK = 64 * 1024;

describe.skipIf(!isGlibc)("trimMemory", () => {
  it("gives back what was freed below something that is in use", async () => {
    const libc = openLibrary(null);
    const allocate = libc.func("calloc", "void *", ["size_t", "size_t"]);
    const fill = libc.func("memset", "void *", ["void *", "int", "size_t"]);
    const free = libc.func("free", "void", ["void *"]);
    const blocks = Array.from({ length: 1600 }, () => allocate(1, BLOCK));
    for (const block of blocks) fill(block, 1, BLOCK);
    const last = allocate(1, BLOCK);
    for (const block of blocks) free(block);
    const before = process.memoryUsage.rss();
    await trimMemory();
    expect(before - process.memoryUsage.rss()).toBeGreaterThan(80 * MB);
    free(last);
  });
});
