import { expect, test } from "vitest";
import { diskError } from "./disk-error.js";

const failure = (code: string): Error => Object.assign(new Error(`${code}: it failed`), { code });

test.each([
  ["ENOSPC", "DISK_FULL"],
  ["EDQUOT", "DISK_FULL"],
  ["EROFS", "INVALID_CONFIG"],
  ["EACCES", "INVALID_CONFIG"],
  ["EFBIG", "INVALID_CONFIG"],
])("%s is told as %s, with the file", (code, told) => {
  expect(diskError(failure(code), "/w/model.gguf")).toMatchObject({
    code: told,
    message: expect.stringContaining("/w/model.gguf can't be written"),
  });
});

test("other errors stay as they are", () => {
  const error = failure("EIO");
  expect(diskError(error, "/w/model.gguf")).toBe(error);
});
