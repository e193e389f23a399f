import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { firstEndpoint } from "./batch.js";

function fileOf(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "rhone-batch-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, "in.jsonl"), text);
  return join(folder, "in.jsonl");
}

test("the first line that is not blank names the endpoint", async () => {
  expect(await firstEndpoint(fileOf('\ufeff\n{"url":"/v1/completions"}\n{"url":"/other"}\n'))).toBe("/v1/completions");
});

test.each([
  ["no lines", "\n", "is empty"],
  ["no url", '{"custom_id":"a"}', "--endpoint"],
  ["no JSON", "hello", "--endpoint"],
])("%s: refused", async (_, text, message) => {
  await expect(firstEndpoint(fileOf(text))).rejects.toMatchObject({
    code: "INVALID_REQUEST",
    message: expect.stringContaining(message),
  });
});
