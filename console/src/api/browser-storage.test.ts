import { expect, it, vi } from "vitest";
import { keep, kept } from "./browser-storage.ts";

it("has nothing, and keeps nothing, where a look at the storage throws", () => {
  vi.stubGlobal("sessionStorage", {
    getItem: () => {
      throw new Error("access is denied");
    },
    setItem: () => {
      throw new Error("access is denied");
    },
  });
  try {
    keep("sessionStorage", "a", "b");
    expect(kept("sessionStorage", "a")).toBe("");
  } finally {
    vi.unstubAllGlobals();
  }
});
