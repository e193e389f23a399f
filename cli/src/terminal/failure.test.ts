import { type ErrorCode, RhoneError } from "@rhone/common";
import { describe, expect, it } from "vitest";
import { exitCodeOf, formatError } from "./failure.js";
import { styleFor } from "./style.js";

const plain = styleFor({ isTTY: false }, undefined);
const rhone = (args: string): string => `./rhone ${args} --data-dir /d`;
const format = (error: unknown, style = plain): string => formatError(error, style, { rhone });

describe("formatError", () => {
  it("is the code, the message and what to do", () => {
    const error = new RhoneError("PORT_IN_USE", "127.0.0.1:8080 is in use by another program.");
    expect(format(error)).toBe(
      "✗ PORT_IN_USE\n  127.0.0.1:8080 is in use by another program.\n" +
        "  With --port 0 the system chooses a free one.",
    );
  });

  it.each<[ErrorCode, string]>([
    ["NOT_RUNNING", "Start a cluster with: ./rhone up --data-dir /d"],
    ["INVALID_API_KEY", "Set RHONE_API_KEY to a secret that `./rhone keys create NAME --data-dir /d` has printed."],
    ["OUT_OF_MEMORY", "Try --kv-type q8_0, a smaller --context, or a smaller model."],
  ])("says what to do about %s, with commands for this cluster", (code, advice) => {
    expect(format(new RhoneError(code, "No."))).toContain(`✗ ${code}\n  No.\n  ${advice}`);
  });

  it("does not suggest to start the cluster of --url", () => {
    const text = formatError(new RhoneError("NOT_RUNNING", "No."), plain, { rhone, url: "http://gateway:8080" });
    expect(text).toBe("✗ NOT_RUNNING\n  No.\n  Check --url, and that a cluster is running there.");
  });

  it("does not suggest to start a cluster on a machine that wants to leave one", () => {
    const text = formatError(new RhoneError("NOT_RUNNING", "No."), plain, { rhone, name: "leave" });
    expect(text).toBe("✗ NOT_RUNNING\n  No.\n  Join one with: ./rhone join --data-dir /d");
  });

  it("does not suggest to start a cluster that runs, and whose gateway does not answer", () => {
    const error = new RhoneError("NOT_RUNNING", "No.", { cause: new Error("ECONNREFUSED") });
    expect(format(error)).toBe("✗ NOT_RUNNING\n  No.\n  Look at its log: ./rhone logs gateway --data-dir /d");
  });

  it("indents every line of a message, and adds nothing where there is no advice", () => {
    const error = new RhoneError("INVALID_CONFIG", "Bad settings:\n  --port=x");
    expect(format(error)).toBe("✗ INVALID_CONFIG\n  Bad settings:\n    --port=x");
  });

  it("shows the stack of anything else, as a bug", () => {
    const text = format(new TypeError("x is not a function"));
    expect(text).toMatch(/^✗ INTERNAL\n {2}TypeError: x is not a function\n {6}at /);
    expect(text).toMatch(/This is a bug in Rhone\. `\.\/rhone logs --data-dir \/d` may show more\.$/);
    expect(format("thrown text")).toContain("thrown text");
  });

  it("is red on a terminal, unless NO_COLOR is set", () => {
    const error = new RhoneError("INTERNAL", "x");
    expect(format(error, styleFor({ isTTY: true }, undefined))).toContain("\x1b[31m");
    expect(format(error, styleFor({ isTTY: true }, "1"))).not.toContain("\x1b");
  });
});

describe("exitCodeOf", () => {
  it.each<[ErrorCode, number]>([
    ["INVALID_CONFIG", 2],
    ["INVALID_REQUEST", 2],
    ["NOT_RUNNING", 3],
    ["BATCH_FAILED", 1],
    ["BATCH_LINES_FAILED", 4],
    ["CANCELLED", 130],
    ["PORT_IN_USE", 1],
    ["INTERNAL", 1],
  ])("%s -> %d", (code, exit) => expect(exitCodeOf(code)).toBe(exit));
});
