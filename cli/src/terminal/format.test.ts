import { describe, expect, it } from "vitest";
import { formatBytes, formatCount, formatDuration } from "./format.js";

describe("formatBytes", () => {
  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1.0 kB"],
    [4_113_000_000, "4.1 GB"],
    [999_999, "1.0 MB"],
    [128_000_000, "128 MB"],
  ])("%d bytes read %s", (bytes, text) => expect(formatBytes(bytes)).toBe(text));
});

describe("formatCount", () => {
  it.each([
    [512, "512"],
    [6_300_000, "6.3 M"],
    [7_248_000_000, "7.2 B"],
  ])("%d reads %s", (count, text) => expect(formatCount(count)).toBe(text));
});

describe("formatDuration", () => {
  it.each([
    [4_400, "4s"],
    [61_000, "1m 1s"],
    [8_100_000, "2h 15m"],
  ])("%d ms reads %s", (ms, text) => expect(formatDuration(ms)).toBe(text));
});
