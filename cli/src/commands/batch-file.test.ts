import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../testing/temporary-folder.js";
import { readBatchFile } from "./batch-file.js";

async function fileOf(text: string): Promise<string> {
  const path = join(await temporaryFolder(), "in.jsonl");
  await writeFile(path, text);
  return path;
}

describe("readBatchFile", () => {
  it("takes the url of the first line that is not blank", async () => {
    const path = await fileOf('\ufeff\n{"url":"/v1/completions"}\n{"url":"/other"}\n');
    expect(await readBatchFile(path)).toEqual({ format: "openai", endpoint: "/v1/completions" });
    expect(await readBatchFile(path, "/v1/embeddings")).toEqual({ format: "openai", endpoint: "/v1/embeddings" });
  });

  it.each([
    ['{"messages":[]}', "/v1/chat/completions"],
    ['{"prompt":"def f","suffix":"return"}', "/v1/completions"],
    ['{"prompt":"Once","max_tokens":5}', "/v1/completions"],
    ['{"input":["a"],"model":"m"}', "/v1/embeddings"],
  ])("takes the endpoint of Mistral's lines, which have no url, from their bodies: %s", async (body, endpoint) => {
    const path = await fileOf(`{"custom_id":"a","body":${body}}\n`);
    expect(await readBatchFile(path)).toEqual({ format: "mistral", endpoint });
    expect(await readBatchFile(path, "/v1/x")).toEqual({ format: "mistral", endpoint: "/v1/x" });
  });

  it.each([
    ["no lines", "\n", /in\.jsonl is empty; a line of it is \{"custom_id": "1", "method": "POST", "url": /],
    ["no JSON", "hello", /^The first line of .*in\.jsonl is not a JSON object; a line is \{"custom_id"/],
    ["an array", "[", /is not a JSON object; a line is/],
    ["no url", '{"method":"POST","body":{"prompt":"a"}}', /has no url; add "url": "\/v1\/completions" to each line\.$/],
    ["neither url nor a body that tells", '{"method":"POST","body":{}}', /has no url; add the path of its endpoint/],
    ["bodies alone", '{"messages":[]}', /is the body of a request alone; a line is .*"url": "\/v1\/chat\/completions"/],
    ["an id alone", '{"custom_id":"a"}', /has neither url nor body; a line is /],
    ["a whole URL", '{"url":"https://api.x.com/v1/embeddings"}', /urls are paths, here "\/v1\/embeddings"\.$/],
    [
      "a path without its slash",
      '{"url":"v1/chat","body":{"messages":[]}}',
      /paths, here "\/v1\/chat\/completions"\.$/,
    ],
    ["a body that tells no endpoint", '{"body":{"model":"m"}}', /as in Mistral's batches, .*; add --endpoint\.$/],
  ])("refuses a file with %s, and says what to write", async (_, text, message) => {
    await expect(readBatchFile(await fileOf(text))).rejects.toMatchObject({
      code: "INVALID_REQUEST",
      message: expect.stringMatching(message),
    });
  });

  it.each([
    ["/nowhere.jsonl", "There is no file /nowhere.jsonl."],
    ["/", "/ is a folder; name a file with a request on each line."],
  ])("refuses %s, with or without an endpoint", async (path, message) => {
    for (const endpoint of [undefined, "/v1/completions"]) {
      await expect(readBatchFile(path, endpoint)).rejects.toMatchObject({ code: "INVALID_REQUEST", message });
    }
  });
});
