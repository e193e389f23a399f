import { type ErrorCode, RhoneError } from "@rhone/common";
import { describe, expect, it } from "vitest";
import { exitCodeOf, formatError } from "./failure.js";
import { styleFor } from "./style.js";

const plain = styleFor({ isTTY: false }, undefined);

describe("formatError", () => {
  it("is the code, the message and what to do", () => {
    const error = new RhoneError("PORT_IN_USE", "127.0.0.1:8080 is in use by another program.");
    expect(formatError(error, plain)).toBe(
      "✗ PORT_IN_USE\n  127.0.0.1:8080 is in use by another program.\n  For example: rhone up --port 8081",
    );
  });

  it("says where a command takes its API key from", () => {
    expect(formatError(new RhoneError("INVALID_API_KEY", "No."), plain)).toMatch(/\n {2}Set RHONE_API_KEY to a secret/);
  });

  it("indents every line of a message, and adds nothing where there is no advice", () => {
    const error = new RhoneError("INVALID_CONFIG", "Bad settings:\n  --port=x");
    expect(formatError(error, plain)).toBe("✗ INVALID_CONFIG\n  Bad settings:\n    --port=x");
  });

  it("shows the stack of anything else, as a bug", () => {
    const text = formatError(new TypeError("x is not a function"), plain);
    expect(text).toMatch(/^✗ INTERNAL\n {2}TypeError: x is not a function\n {6}at /);
    expect(text).toMatch(/This is a bug in Rhone\. `rhone logs` may show more\.$/);
    expect(formatError("thrown text", plain)).toContain("thrown text");
  });

  it("is red on a terminal, unless NO_COLOR is set", () => {
    const error = new RhoneError("INTERNAL", "x");
    expect(formatError(error, styleFor({ isTTY: true }, undefined))).toContain("\x1b[31m");
    expect(formatError(error, styleFor({ isTTY: true }, "1"))).not.toContain("\x1b");
  });
});

describe("exitCodeOf", () => {
  it.each<[ErrorCode, number]>([
    ["INVALID_CONFIG", 2],
    ["INVALID_REQUEST", 2],
    ["NOT_RUNNING", 3],
    ["CANCELLED", 130],
    ["PORT_IN_USE", 1],
    ["INTERNAL", 1],
  ])("%s -> %d", (code, exit) => expect(exitCodeOf(code)).toBe(exit));
});
