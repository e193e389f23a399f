import { Agent } from "node:http";
import { expect, test } from "vitest";
import { serve } from "../../../client/src/testing/serve.js";
import { runBatch } from "./batch-load.js";
import { RandomPrompts } from "./prompts.js";

const agent = new Agent({ keepAlive: true });
const batch = (status: string, completed: number, failed = 0) => ({
  ...{
    id: "b",
    endpoint: "/v1/completions",
    status,
    created_at: 0,
    output_file_id: null,
    error_file_id: null,
    errors: null,
  },
  request_counts: { total: 3, completed, failed },
});

/** A batch of three lines that ends as `end` tells. */
async function run(end: object) {
  const { url, requests } = await serve(({ path }, response) => {
    response.end(JSON.stringify(path === "/v1/files" ? { id: "f" } : end));
  });
  const { signal } = new AbortController();
  const connection = { agent, url, model: "m", apiKey: "secret", signal };
  const prompts = new RandomPrompts({ vocabSize: 512, seed: 1 });
  await runBatch({ connection, prompts, lines: 3, promptTokens: 4, lineTokens: 5 });
  return requests;
}

test("every line is a greedy completion of its own prompt, which no cache serves", async () => {
  const requests = await run(batch("completed", 3));
  const [upload, create] = requests;
  const lines = (upload?.body ?? "").split("\n").filter((line) => line.startsWith('{"custom_id"'));
  const parsed = lines.map(
    (line) => JSON.parse(line) as { custom_id: string; url: string; body: { prompt: number[] } },
  );
  expect(parsed.map(({ custom_id }) => custom_id)).toEqual(["line-0", "line-1", "line-2"]);
  expect(new Set(parsed.map(({ body }) => String(body.prompt))).size).toBe(3);
  for (const { url, body } of parsed) {
    expect(url).toBe("/v1/completions");
    expect(body).toMatchObject({ model: "m", max_tokens: 5, temperature: 0, ignore_eos: true, cache_prompt: false });
    expect(body.prompt).toHaveLength(4);
  }
  expect(JSON.parse(create?.body ?? "")).toMatchObject({ endpoint: "/v1/completions" });
  for (const { headers } of requests) expect(headers.authorization).toBe("Bearer secret");
});

test.each([
  ["a line failed", batch("completed", 2, 1), "The batch is completed; 2 of its 3 lines were answered, 1 failed."],
  ["it expired", batch("expired", 1), "The batch is expired; 1 of its 3 lines were answered, 0 failed."],
  ["it was cancelled", batch("cancelled", 0), "The batch is cancelled; 0 of its 3 lines were answered, 0 failed."],
])("the measurement is void when %s", async (_, end, message) => {
  await expect(run(end)).rejects.toMatchObject({ code: "MEASUREMENT_VOID", message });
});
