import { text } from "node:stream/consumers";
import { Mistral } from "@mistralai/mistralai";
import { expect, test } from "vitest";
import { sharedCluster } from "../cluster/shared-cluster.js";

const cluster = await sharedCluster();
const client = new Mistral({ serverURL: cluster.url, apiKey: "none" });

const endpoint = "/v1/chat/completions" as const;
const messages = [{ role: "user", content: "What is the capital of France?" }];

/** Mistral's lines: an id and a body. */
const linesOf = (count: number, maxTokens = 16): string =>
  Array.from({ length: count }, (_, index) => {
    const body = { messages, max_tokens: maxTokens, temperature: index === count - 1 ? 9 : 0 };
    return `${JSON.stringify({ custom_id: `q${index}`, body })}\n`;
  }).join("");

const upload = (lines: string) =>
  client.files.upload({ file: { fileName: "in.jsonl", content: Buffer.from(lines) }, purpose: "batch" });

const download = async (fileId: string) =>
  text((await client.files.download({ fileId })) as unknown as AsyncIterable<Uint8Array> & ReadableStream);

const patience = { timeout: 60_000, interval: 100 };
const statusOf = async (jobId: string) => (await client.batch.jobs.get({ jobId })).status;

test("a file goes up, is listed, comes back as it was, and goes", async () => {
  const file = await upload(linesOf(3));
  expect(file).toMatchObject({ purpose: "batch", filename: "in.jsonl", sampleType: "batch_request", source: "upload" });
  const { data, total } = await client.files.list({ purpose: "batch", page: 0, pageSize: 100 });
  expect(data.map(({ id }) => id)).toContain(file.id);
  expect(total).toBe(data.length);
  expect(await client.files.retrieve({ fileId: file.id })).toMatchObject({ id: file.id, numLines: 3, deleted: false });
  expect(await download(file.id)).toBe(linesOf(3));
  expect(await client.files.delete({ fileId: file.id })).toMatchObject({ id: file.id, deleted: true });
  await expect(client.files.retrieve({ fileId: file.id })).rejects.toMatchObject({ statusCode: 404 });
});

test("a job runs to its end; answers and errors are fetched", async () => {
  const { id: inputFile } = await upload(linesOf(5));
  const order = { inputFiles: [inputFile], endpoint, model: "breeze", metadata: { run: "7" } };
  const { id } = await client.batch.jobs.create(order);
  await expect.poll(() => statusOf(id), patience).toBe("SUCCESS");
  const job = await client.batch.jobs.get({ jobId: id });
  expect(job).toMatchObject({ ...order, totalRequests: 5, succeededRequests: 4, failedRequests: 1 });
  const answers = (await download(job.outputFile ?? ""))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(answers.map(({ custom_id }) => custom_id).sort()).toEqual(["q0", "q1", "q2", "q3"]);
  expect(answers[0].response.body.choices[0].message.content).toMatch(/Paris/);
  expect(JSON.parse(await download(job.errorFile ?? ""))).toMatchObject({ response: { status_code: 400 } });
  const { data = [] } = await client.batch.jobs.list({ model: "breeze", status: ["SUCCESS"] });
  expect(data.map((each) => each.id)).toContain(id);
});

test("requests may come in the job, and results in it", async () => {
  const requests = ["a", "b"].map((customId) => ({ customId, body: { messages, max_tokens: 8 } }));
  const order = { requests, endpoint, model: "breeze" };
  const { id } = await client.batch.jobs.create(order);
  await expect.poll(() => statusOf(id), patience).toBe("SUCCESS");
  const { outputs } = await client.batch.jobs.get({ jobId: id, inline: true });
  expect(outputs?.map(({ custom_id }) => custom_id).sort()).toEqual(["a", "b"]);
});

test("a job is cancelled, and keeps what it has", async () => {
  const { id: inputFile } = await upload(linesOf(2000, 200));
  const order = { inputFiles: [inputFile], endpoint, model: "breeze" };
  const { id } = await client.batch.jobs.create(order);
  expect((await client.batch.jobs.cancel({ jobId: id })).status).toMatch(/^CANCEL/);
  await expect.poll(() => statusOf(id), patience).toBe("CANCELLED");
  const { totalRequests, succeededRequests, failedRequests } = await client.batch.jobs.get({ jobId: id });
  expect(succeededRequests + failedRequests).toBe(totalRequests);
});
