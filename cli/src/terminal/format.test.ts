import { describe, expect, it } from "vitest";
import { formatCount, formatDuration, formatTable, plural } from "./format.js";

describe("formatCount", () => {
  it.each([
    [512, "512"],
    [12_345, "12,345"],
    [6_300_000, "6.3 M"],
    [7_248_000_000, "7.2 B"],
  ])("%d is %s", (count, text) => expect(formatCount(count)).toBe(text));
});

describe("formatDuration", () => {
  it.each([
    [4_400, "4s"],
    [61_000, "1m 1s"],
    [1_800_000, "30m"],
    [3_599_600, "1h"],
    [8_100_000, "2h 15m"],
  ])("%d ms are %s", (ms, text) => expect(formatDuration(ms)).toBe(text));
});

describe("plural", () => {
  it.each([
    [0, "0 workers"],
    [1, "1 worker"],
    [2, "2 workers"],
  ])("%d", (count, text) => expect(plural(count, "worker")).toBe(text));
});

describe("formatTable", () => {
  it("aligns columns, some of them to the right, and leaves no blanks at line ends", () => {
    const rows = [
      ["NAME", "SIZE", "NOTES"],
      ["breeze", "6.8 MB", ""],
      ["m", "-", "a note"],
    ];
    expect(formatTable(rows, [1])).toBe("NAME      SIZE  NOTES\nbreeze  6.8 MB\nm            -  a note");
  });

  it("takes rows of different lengths, and none", () => {
    expect(formatTable([["a"], ["bb", "c"]])).toBe("a\nbb  c");
    expect(formatTable([])).toBe("");
  });
});
