import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../testing/temporary-folder.js";
import { firstEndpoint } from "./first-endpoint.js";

async function fileOf(text: string): Promise<string> {
  const path = join(await temporaryFolder(), "in.jsonl");
  await writeFile(path, text);
  return path;
}

describe("firstEndpoint", () => {
  it("is the url of the first line that is not blank", async () => {
    const path = await fileOf('\ufeff\n{"url":"/v1/completions"}\n{"url":"/other"}\n');
    expect(await firstEndpoint(path)).toBe("/v1/completions");
  });

  it.each([
    ["no lines", "\n", "is empty"],
    ["no url", '{"custom_id":"a"}', "--endpoint"],
    ["no JSON", "hello", "--endpoint"],
  ])("refuses a file with %s", async (_, text, message) => {
    await expect(firstEndpoint(await fileOf(text))).rejects.toMatchObject({
      code: "INVALID_REQUEST",
      message: expect.stringContaining(message),
    });
  });

  it("refuses a file that can't be read", async () => {
    await expect(firstEndpoint("/nowhere.jsonl")).rejects.toMatchObject({
      code: "INVALID_REQUEST",
      message: expect.stringMatching(/^\/nowhere\.jsonl can't be read: ENOENT/),
    });
  });
});
