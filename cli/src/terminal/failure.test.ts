import { RhoneError } from "@rhone/common";
import { expect, test } from "vitest";
import { formatError } from "./failure.js";
import { styleFor } from "./style.js";

const plain = styleFor({ isTTY: false }, undefined);

test("a named error: code, message, what to do", () => {
  const error = new RhoneError("PORT_IN_USE", "127.0.0.1:8080 is in use by another program.");
  expect(formatError(error, plain)).toBe(
    "✗ PORT_IN_USE\n  127.0.0.1:8080 is in use by another program.\n  For example: rhone up --port 8081",
  );
});

test("red on a terminal, unless NO_COLOR is set", () => {
  const error = new RhoneError("INTERNAL", "x");
  expect(formatError(error, styleFor({ isTTY: true }, undefined))).toContain("\x1b[31m");
  expect(formatError(error, styleFor({ isTTY: true }, "1"))).not.toContain("\x1b");
});
