import { describe, expect, it } from "vitest";
import { ERROR_TABLE, isErrorCode, parseErrorCode } from "./error-table.js";
import { RhoneError, toRhoneError } from "./rhone-error.js";

describe("RhoneError", () => {
  it("carries its row, its cause and the field at fault", () => {
    const cause = new Error("below");
    const error = new RhoneError("QUEUE_FULL", "100 requests are waiting.", { cause, param: "n" });
    expect(error).toMatchObject({ name: "RhoneError", code: "QUEUE_FULL", cause, param: "n" });
    expect(error.row).toBe(ERROR_TABLE.QUEUE_FULL);
  });

  it("has no cause at all when none is given", () => {
    expect("cause" in new RhoneError("QUEUE_FULL", "100 requests are waiting.")).toBe(false);
  });
});

describe("toRhoneError", () => {
  it("tells of a full disk", () => {
    const cause = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
    expect(toRhoneError(cause)).toMatchObject({ code: "DISK_FULL", cause });
  });

  it("keeps a named error", () => {
    const error = new RhoneError("KV_FULL", "No page is free.");
    expect(toRhoneError(error)).toBe(error);
  });

  it.each([new Error("secret"), "secret", { code: "KV_FULL" }])("hides %s and keeps it as cause", (cause) => {
    const error = toRhoneError(cause);
    expect(error).toMatchObject({ code: "INTERNAL", cause });
    expect(error.message).not.toContain("secret");
  });
});

describe("error codes", () => {
  it.each([
    ["WORKER_LOST", true],
    ["worker_lost", false],
    ["", false],
    ["toString", false],
    ["__proto__", false],
  ])("%j is one: %s", (text, expected) => expect(isErrorCode(text)).toBe(expected));

  it.each([
    ["WORKER_LOST", "WORKER_LOST"],
    ["NEW_IN_VERSION_9", "STAGE_FAILED"],
    ["", "STAGE_FAILED"],
    [null, "STAGE_FAILED"],
    [undefined, "STAGE_FAILED"],
  ])("parse %j as %s", (text, code) => expect(parseErrorCode(text, "STAGE_FAILED")).toBe(code));
});

describe("the error table", () => {
  const rows = Object.entries(ERROR_TABLE);

  it("blames the caller by a 4xx status and nobody else", () => {
    const callers = ["invalid_request_error", "authentication_error", "rate_limit_error"];
    for (const [code, { type, http }] of rows) expect(http < 500, code).toBe(callers.includes(type));
  });

  it("lets a caller try again what was too much, too early or too slow", () => {
    for (const [code, { http, type, retryable }] of rows) {
      if (http === 429 || http === 504) expect(retryable, code).toBe(true);
      if (type === "unavailable_error" && code !== "NOT_ENOUGH_MEMORY") expect(retryable, code).toBe(true);
      if (http === 400) expect(retryable, code).toBe(false);
    }
  });
});
