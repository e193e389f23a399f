import { createReadStream, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import OpenAI, { BadRequestError, NotFoundError, toFile } from "openai";
import { expect, onTestFinished, test } from "vitest";
import { sharedCluster } from "../cluster/shared-cluster.js";

const cluster = await sharedCluster();
const client = new OpenAI({ baseURL: `${cluster.url}/v1`, apiKey: "none", maxRetries: 0 });

const ENDPOINT = "/v1/chat/completions";

/** Questions to Breeze; the last has a temperature that is refused. */
function linesOf(count: number, maxTokens = 16): string {
  const lines = Array.from({ length: count }, (_, index) => {
    const messages = [{ role: "user", content: "What is the capital of France?" }];
    const body = { model: "breeze", messages, max_tokens: maxTokens, temperature: index === count - 1 ? 9 : 0 };
    return JSON.stringify({ custom_id: `q${index}`, method: "POST", url: ENDPOINT, body });
  });
  return `${lines.join("\n")}\n`;
}

const upload = async (lines: string) =>
  client.files.create({ file: await toFile(Buffer.from(lines), "in.jsonl"), purpose: "batch" });

test("a file goes up from a stream, is listed, comes back as it was, and goes", async () => {
  const folder = mkdtempSync(join(tmpdir(), "rhone-system-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "questions.jsonl");
  writeFileSync(path, linesOf(3));
  const file = await client.files.create({
    file: createReadStream(path),
    purpose: "batch",
    expires_after: { anchor: "created_at", seconds: 3600 },
  });
  expect(file).toMatchObject({ object: "file", filename: "questions.jsonl", purpose: "batch", status: "processed" });
  expect([file.bytes, (file.expires_at ?? 0) - file.created_at]).toEqual([Buffer.byteLength(linesOf(3)), 3600]);
  expect(await client.files.retrieve(file.id)).toEqual(file);
  expect(await (await client.files.content(file.id)).text()).toBe(linesOf(3));
  expect(await client.files.delete(file.id)).toEqual({ id: file.id, object: "file", deleted: true });
  await expect(client.files.retrieve(file.id)).rejects.toThrow(NotFoundError);
});

test("lists are paged through to their end", async () => {
  const made: string[] = [];
  for (const text of ["a", "b", "c"]) made.push((await upload(text)).id);
  const seen: string[] = [];
  for await (const { id } of client.files.list({ purpose: "batch", limit: 2, order: "asc" })) seen.push(id);
  expect(seen.filter((id) => made.includes(id)).sort()).toEqual([...made].sort());
  for (const id of made) await client.files.delete(id);
});

test("a batch runs to its end; answers and errors are fetched", async () => {
  const { id: input_file_id } = await upload(linesOf(8));
  const order = { input_file_id, endpoint: ENDPOINT, completion_window: "24h", metadata: { run: "7" } } as const;
  const { id } = await client.batches.create(order);
  const patience = { timeout: 60_000, interval: 100 };
  await expect.poll(async () => (await client.batches.retrieve(id)).status, patience).toBe("completed");
  const batch = await client.batches.retrieve(id);
  expect(batch).toMatchObject({
    ...order,
    object: "batch",
    model: "breeze",
    request_counts: { total: 8, completed: 7, failed: 1 },
    usage: { output_tokens: expect.any(Number) },
  });
  const linesIn = async (file: string | undefined) => {
    const text = await (await client.files.content(file ?? "")).text();
    return text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
  };
  const answers = await linesIn(batch.output_file_id);
  expect(answers.map(({ custom_id }) => custom_id).sort()).toEqual(["q0", "q1", "q2", "q3", "q4", "q5", "q6"]);
  for (const { response, error } of answers) {
    expect([response.status_code, error]).toEqual([200, null]);
    expect(response.body).toMatchObject({
      object: "chat.completion",
      choices: [{ message: { content: expect.stringMatching(/Paris/) } }],
    });
  }
  const [failed] = await linesIn(batch.error_file_id);
  expect(failed).toMatchObject({ custom_id: "q7", response: { status_code: 400 } });
  const ids: string[] = [];
  for await (const each of client.batches.list({ limit: 1 })) ids.push(each.id);
  expect(ids).toContain(id);
});

test("a batch is cancelled, and keeps what it has", async () => {
  const { id: input_file_id } = await upload(linesOf(2000, 200));
  const order = { input_file_id, endpoint: ENDPOINT, completion_window: "24h" } as const;
  const { id } = await client.batches.create(order);
  expect((await client.batches.cancel(id)).status).toMatch(/^cancell/);
  const patience = { timeout: 60_000, interval: 100 };
  await expect.poll(async () => (await client.batches.retrieve(id)).status, patience).toBe("cancelled");
  const { request_counts: counts } = await client.batches.retrieve(id);
  expect((counts?.completed ?? 0) + (counts?.failed ?? 0)).toBe(counts?.total);
});

test("what can't be a batch is refused, what is wrong with a file is told per line", async () => {
  const order = { endpoint: ENDPOINT, completion_window: "24h" } as const;
  const absent = client.batches.create({ ...order, input_file_id: "file-000000000000000000000000" });
  await expect(absent).rejects.toThrow(NotFoundError);
  const purpose = client.files.create({ file: await toFile(Buffer.from("{}"), "x.jsonl"), purpose: "fine-tune" });
  await expect(purpose).rejects.toThrow(BadRequestError);
  const { id: input_file_id } = await upload("{}\nnothing\n");
  const { id } = await client.batches.create({ ...order, input_file_id });
  const patience = { timeout: 30_000, interval: 100 };
  await expect.poll(async () => (await client.batches.retrieve(id)).status, patience).toBe("failed");
  const { errors } = await client.batches.retrieve(id);
  expect(errors?.data?.map(({ code, line }) => [code, line])).toEqual([
    ["missing_required_parameter", 1],
    ["invalid_json_line", 2],
  ]);
});
