import { describe, expect, test } from "vitest";
import { fakeGateway } from "../../services/gateway/src/testing/fake-gateway.js";
import { readStream } from "../cluster/read-stream.js";
import { sharedCluster } from "../cluster/shared-cluster.js";
import { keepsTo } from "../schemas/keeps-to.js";
import * as mistral from "../schemas/mistral.js";
import * as openai from "../schemas/openai.js";
import type { Schema } from "../schemas/schema-parts.js";

const cluster = await sharedCluster();

const CHAT = "/v1/chat/completions";
const COMPLETIONS = "/v1/completions";
const messages = [{ role: "user", content: "What is the capital of France?" }];
const short = { messages, temperature: 0, max_tokens: 6 };

const TOOLS = [
  {
    type: "function",
    function: {
      name: "find",
      parameters: { type: "object", properties: { city: { enum: ["Rome", "Oslo"] } }, required: ["city"] },
    },
  },
];

async function answer(
  path: string,
  init: RequestInit = {},
): Promise<{ readonly status: number; readonly body: unknown }> {
  const response = await fetch(`${cluster.url}${path}`, init);
  return { status: response.status, body: await response.json() };
}

async function post(path: string, body: unknown): Promise<unknown> {
  return (await cluster.post(path, body)).json();
}

interface Documented {
  readonly requestBody?: {
    readonly content: { readonly "application/json": { readonly schema: { readonly properties: object } } };
  };
}

/** Whether the OpenAPI document has the path, and the field in its body. */
async function isDocumented(path: string, field?: string): Promise<boolean> {
  const { paths } = (await answer("/openapi.json")).body as { paths: Record<string, { post?: Documented }> };
  const post = paths[path]?.post;
  return field === undefined
    ? post !== undefined
    : field in (post?.requestBody?.content["application/json"].schema.properties ?? {});
}

/** Checks the answer whole and as a stream. */
async function bothWays(
  path: string,
  body: Readonly<Record<string, unknown>>,
  whole: readonly Schema[],
  chunk: readonly Schema[],
): Promise<void> {
  const { stream_options: _, ...plain } = body;
  keepsTo(await cluster.ask(path, plain), ...whole);
  const chunks = await readStream(cluster, path, body);
  expect(chunks.length).toBeGreaterThan(0);
  for (const one of chunks) keepsTo(one, ...chunk);
}

test.each<[string, object]>([
  ["plainly", {}],
  ["several times", { n: 2, temperature: 1 }],
  ["with log-probabilities", { logprobs: true, top_logprobs: 2 }],
  ["with log-probabilities alone", { logprobs: true }],
  ["with token ids", { return_token_ids: true }],
  ["with usage in a chunk of its own", { stream_options: { include_usage: true } }],
  ["with usage on every chunk", { stream_options: { continuous_usage_stats: true } }],
  ["to be resumed", { stream_options: { resumable: true } }],
  ["until a stop", { stop: ["Paris", " is"] }],
  ["as JSON", { response_format: { type: "json_object", schema: { enum: [{ a: 1 }] } }, max_tokens: 40 }],
  ["going on from a prefix", { messages: [...messages, { role: "assistant", content: "The", prefix: true }] }],
])("a chat that is answered %s is OpenAI's and Mistral's", async (_, fields) => {
  const [whole, chunk] = [
    [openai.chatCompletion, mistral.chatCompletion],
    [openai.chatChunk, mistral.chatChunk],
  ];
  await bothWays(CHAT, { ...short, ...fields }, whole, chunk);
});

test("a chat with the prompt's log-probabilities is OpenAI's and Mistral's", async () => {
  const body = await cluster.ask(CHAT, { ...short, prompt_logprobs: 1 });
  keepsTo(body, openai.chatCompletion, mistral.chatCompletion);
});

test.for(["required", "any", "auto", "none", { type: "function", function: { name: "find" } }] as const)(
  "a chat with tools, of which it makes use as %j, is OpenAI's and Mistral's",
  async (tool_choice, { skip }) => {
    skip(!(await isDocumented(CHAT, "tools")), "no tools here");
    const body = { ...short, tools: TOOLS, tool_choice, max_tokens: 60 };
    await bothWays(CHAT, body, [openai.chatCompletion, mistral.chatCompletion], [openai.chatChunk, mistral.chatChunk]);
  },
);

test.each<[string, object]>([
  ["plainly", {}],
  ["several times", { n: 2 }],
  ["for several prompts", { prompt: ["The", "A"] }],
  ["with log-probabilities", { logprobs: 2 }],
  ["with the prompt", { echo: true, logprobs: 1 }],
  ["with token ids", { return_token_ids: true, prompt: [20, 30] }],
  ["with usage in a chunk of its own", { stream_options: { include_usage: true } }],
  ["with nothing generated", { echo: true, logprobs: 0, max_tokens: 0 }],
])("a completion that is written %s is OpenAI's", async (_, fields) => {
  const body = { prompt: "The", max_tokens: 5, ...fields };
  await bothWays(COMPLETIONS, body, [openai.completion], [openai.completionChunk]);
});

test("a completion of the best of several, and one with the prompt's log-probabilities, are OpenAI's", async () => {
  keepsTo(await cluster.ask(COMPLETIONS, { prompt: "The", max_tokens: 3, best_of: 3, n: 2 }), openai.completion);
  keepsTo(await cluster.ask(COMPLETIONS, { prompt: "The", max_tokens: 3, prompt_logprobs: 1 }), openai.completion);
});

test("what fills a gap is Mistral's, of a model that has the tokens for it", async () => {
  const { post } = fakeGateway();
  const gap = { prompt: "a", suffix: "b" };
  keepsTo((await post("/v1/fim/completions", gap)).json(), mistral.chatCompletion);
  const { body } = await post("/v1/fim/completions", { ...gap, stream: true });
  const chunks = body.split("\n\n").filter((event) => event.startsWith("data: {"));
  expect(chunks).toHaveLength(4);
  for (const chunk of chunks) keepsTo(JSON.parse(chunk.slice("data: ".length)), mistral.chatChunk);
});

test("models are OpenAI's and Mistral's", async () => {
  keepsTo((await answer("/v1/models")).body, openai.modelList, mistral.modelList);
  keepsTo((await answer("/v1/models/breeze")).body, openai.model, mistral.model);
});

test("embeddings are OpenAI's and Mistral's", async ({ skip }) => {
  skip(!(await isDocumented("/v1/embeddings")), "no embeddings here");
  for (const fields of [{ input: "The sea" }, { input: ["a", "b"] }, { input: [20, 30], encoding_format: "base64" }]) {
    keepsTo(await cluster.ask("/v1/embeddings", { model: "breeze", ...fields }), openai.embeddings, mistral.embeddings);
  }
});

describe("refusals are OpenAI's and Mistral's", () => {
  test.each<[number, string, unknown]>([
    [400, CHAT, { messages: [] }],
    [400, CHAT, { ...short, temperature: 9 }],
    [400, CHAT, { messages: [{ role: "user", content: "sea ".repeat(9000) }] }],
    [400, CHAT, { ...short, bad_words: ["a"] }],
    [400, "/v1/fim/completions", { prompt: "a", suffix: "b" }],
    [400, COMPLETIONS, { prompt: [99_999] }],
    [404, CHAT, { ...short, model: "none" }],
    [404, "/v1/batches", { input_file_id: "file-0", endpoint: CHAT, completion_window: "24h" }],
    [400, "/v1/batch/jobs", { endpoint: "/nowhere" }],
    [404, "/v1/nothing", {}],
  ])("%i for %s", async (status, path, body) => {
    const refused = await answer(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    expect(refused.status).toBe(status);
    keepsTo(refused.body, openai.error, mistral.error);
  });

  test.each([
    [404, "GET", "/v1/files/file-0"],
    [404, "DELETE", "/v1/files/file-0"],
    [404, "GET", "/v1/batches/batch_0"],
    [404, "GET", "/v1/models/none"],
    [404, "GET", "/v1/streams/none"],
    [405, "PUT", "/v1/models"],
    [415, "POST", "/v1/files"],
  ])("%i for %s %s", async (status, method, path) => {
    const refused = await answer(path, { method, ...(method === "POST" && { body: "text" }) });
    expect(refused.status).toBe(status);
    keepsTo(refused.body, openai.error, mistral.error);
  });
});

interface Identified {
  readonly id: string;
  readonly status: string;
}

/** Polls until the status is one of `over`; checks each answer. */
async function untilOver(
  path: string,
  schema: Schema,
  over: readonly string[],
): Promise<Readonly<Record<string, unknown>>> {
  let found: Readonly<Record<string, unknown>> = {};
  await expect
    .poll(
      async () => {
        const { body } = await answer(path);
        keepsTo(body, schema);
        found = body as typeof found;
        return over.includes(String(found.status));
      },
      { timeout: 30_000, interval: 50 },
    )
    .toBe(true);
  return found;
}

async function upload(lines: readonly unknown[]): Promise<Identified> {
  const form = new FormData();
  form.set("purpose", "batch");
  form.set("file", new Blob(lines.map((line) => `${JSON.stringify(line)}\n`)), "requests.jsonl");
  const { body } = await answer("/v1/files", { method: "POST", body: form });
  keepsTo(body, openai.file, mistral.file);
  return body as Identified;
}

const lineOf = (custom_id: string, body: object) => ({ custom_id, method: "POST", url: CHAT, body });

test("files and batches are OpenAI's from the first state to the last", async () => {
  const { id: input } = await upload([lineOf("a", short), lineOf("b", { ...short, temperature: 9 })]);
  const order = { input_file_id: input, endpoint: CHAT, completion_window: "24h", metadata: { of: "tests" } };
  const made = (await post("/v1/batches", order)) as Identified;
  keepsTo(made, openai.batch);
  const batch = await untilOver(`/v1/batches/${made.id}`, openai.batch, ["completed", "failed"]);
  expect(batch).toMatchObject({ status: "completed", request_counts: { total: 2, completed: 1, failed: 1 } });
  for (const [id, body] of [
    [batch.output_file_id, openai.chatCompletion],
    [batch.error_file_id, openai.error],
  ] as const) {
    keepsTo((await answer(`/v1/files/${id}`)).body, openai.file, mistral.file);
    const content = await (await fetch(`${cluster.url}/v1/files/${id}/content`)).text();
    const line = JSON.parse(content) as { response: { body: unknown } };
    keepsTo(line, openai.batchLine);
    keepsTo(line.response.body, body);
  }
  keepsTo((await answer("/v1/batches")).body, openai.batchList);
  keepsTo((await answer("/v1/files")).body, openai.fileList, mistral.fileList);
  keepsTo((await answer(`/v1/files/${input}`, { method: "DELETE" })).body, openai.fileDeleted, mistral.fileDeleted);
});

test("a batch that fails or is cancelled is OpenAI's", async () => {
  const { id: wrong } = await upload([{ custom_id: "a" }, "no request"]);
  const failing = (await post("/v1/batches", {
    input_file_id: wrong,
    endpoint: CHAT,
    completion_window: "24h",
  })) as Identified;
  const failed = await untilOver(`/v1/batches/${failing.id}`, openai.batch, ["failed"]);
  expect(failed.errors).toMatchObject({ object: "list", data: [{ line: 1 }, { line: 2 }] });
  const { id: long } = await upload(
    Array.from({ length: 300 }, (_, i) => lineOf(`${i}`, { ...short, max_tokens: 60, ignore_eos: true })),
  );
  const running = (await post("/v1/batches", {
    input_file_id: long,
    endpoint: CHAT,
    completion_window: "24h",
  })) as Identified;
  keepsTo(await post(`/v1/batches/${running.id}/cancel`, {}), openai.batch);
  await untilOver(`/v1/batches/${running.id}`, openai.batch, ["cancelled", "completed"]);
});

test("batch jobs are Mistral's, with and without a file", async () => {
  const body = { prompt: "The", max_tokens: 3 };
  const order = { endpoint: COMPLETIONS, model: "breeze", requests: [{ custom_id: "a", body }, { body }] };
  const made = (await post("/v1/batch/jobs", order)) as Identified;
  keepsTo(made, mistral.batchJob);
  const job = await untilOver(`/v1/batch/jobs/${made.id}`, mistral.batchJob, ["SUCCESS", "FAILED"]);
  expect(job).toMatchObject({ status: "SUCCESS", total_requests: 2, succeeded_requests: 2 });
  const inline = await answer(`/v1/batch/jobs/${made.id}?inline=true`);
  keepsTo(inline.body, mistral.batchJob);
  const { id } = await upload([{ custom_id: "a", body }]);
  const byFile = (await post("/v1/batch/jobs", { endpoint: COMPLETIONS, input_files: [id] })) as Identified;
  keepsTo(await post(`/v1/batch/jobs/${byFile.id}/cancel`, {}), mistral.batchJob);
  keepsTo((await answer("/v1/batch/jobs")).body, mistral.batchJobList);
});
