import { expect, test } from "vitest";
import { styleFor } from "./style.js";

test.each([
  ["a terminal", { isTTY: true }, undefined, "\x1b[1mx\x1b[22m"],
  ["a terminal with NO_COLOR", { isTTY: true }, "", "x"],
  ["a pipe", {}, undefined, "x"],
  ["a file", { isTTY: false }, undefined, "x"],
] as const)("%s", (_, stream, noColor, bold) => expect(styleFor(stream, noColor).bold("x")).toBe(bold));

test("every style ends what it begins", () => {
  const { bold, dim, red, green, yellow } = styleFor({ isTTY: true }, undefined);
  const nested = [bold, dim, red, green, yellow].map((style) => style("x"));
  for (const text of nested) expect(text.replaceAll("\x1b", "ESC")).toMatch(/^ESC\[\d+mxESC\[\d+m$/);
  expect(new Set(nested).size).toBe(5);
});
