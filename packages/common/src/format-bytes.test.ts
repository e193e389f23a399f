import { expect, test } from "vitest";
import { formatBytes } from "./format-bytes.js";

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1000, "1.0 kB"],
  [4_113_000_000, "4.1 GB"],
  [999_999, "1.0 MB"],
  [128_000_000, "128 MB"],
  [5e15, "5000 TB"],
])("%d bytes are %s", (bytes, text) => expect(formatBytes(bytes)).toBe(text));
