import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { vi } from "vitest";

/** While `work` goes on, no thread seems to get processor time, as on a machine that is too busy. Linux only. */
export async function starved<T>(work: () => Promise<T>): Promise<T> {
  const idle = `1 (node) S ${"0 ".repeat(50)}`;
  const { readFileSync } = fs;
  const read = vi.spyOn(fs, "readFileSync");
  read.mockImplementation((path, options) => (String(path).startsWith("/proc/") ? idle : readFileSync(path, options)));
  syncBuiltinESMExports();
  try {
    return await work();
  } finally {
    read.mockRestore();
    syncBuiltinESMExports();
  }
}
