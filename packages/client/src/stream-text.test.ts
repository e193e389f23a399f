import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { expect, test } from "vitest";
import { type GenerationRequest, streamText } from "./stream-text.js";
import { serve } from "./testing/serve.js";

const SAMPLING = { maxTokens: 4, temperature: undefined, topP: 0.5, seed: undefined, stop: ["!"] };

async function ask(
  url: string,
  input: GenerationRequest["input"],
  { onUsage = () => {}, seed }: Pick<Partial<GenerationRequest>, "onUsage"> & { readonly seed?: bigint } = {},
): Promise<string[]> {
  const pieces: string[] = [];
  const { signal } = new AbortController();
  const request = { url, model: "breeze", input, sampling: { ...SAMPLING, seed }, apiKey: undefined, signal, onUsage };
  for await (const piece of streamText(request)) pieces.push(piece);
  return pieces;
}

test("a prompt goes to /v1/completions, and its text comes in pieces", async () => {
  const chunks = ["Once", " upon"].map((text) => `data: ${JSON.stringify({ choices: [{ text }] })}\n\n`);
  const { url, requests } = await serve((_, response) => response.end(`${chunks.join("")}data: [DONE]\n\n`));
  expect(await ask(url, { prompt: "Tell" })).toEqual(["Once", " upon"]);
  expect(requests[0]).toMatchObject({ method: "POST", path: "/v1/completions" });
  // What is undefined is not sent, so that the server's defaults hold.
  const body = { model: "breeze", prompt: "Tell", stream: true, max_tokens: 4, top_p: 0.5, stop: ["!"] };
  expect(JSON.parse(requests[0]?.body ?? "")).toEqual({ ...body, stream_options: { include_usage: true } });
});

test("a seed is sent with all its digits", async () => {
  const { url, requests } = await serve((_, response) => response.end("data: [DONE]\n\n"));
  await ask(url, { prompt: "Tell" }, { seed: -9223372036854775807n });
  expect(requests[0]?.body).toMatch(/[^{],"seed":-9223372036854775807}$/);
});

test("the tokens are told at the end, where the gateway counts them", async () => {
  const usage = { prompt_tokens: 5, completion_tokens: 2 };
  const chunks = [
    { choices: [{ text: "a" }], usage: null },
    { choices: [], usage },
  ];
  const text = chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join("");
  const { url } = await serve((_, response) => response.end(`${text}data: [DONE]\n\n`));
  const told: unknown[] = [];
  expect(await ask(url, { prompt: "x" }, { onUsage: (counts) => told.push(counts) })).toEqual(["a"]);
  expect(told).toEqual([{ promptTokens: 5, completionTokens: 2 }]);
});

test("messages go to /v1/chat/completions; a delta without content is an empty piece", async () => {
  const deltas = [{ role: "assistant" }, { content: "Hi" }];
  const chunks = deltas.map((delta) => `data: ${JSON.stringify({ choices: [{ delta }] })}\n\n`);
  const { url, requests } = await serve((_, response) => response.end(`${chunks.join("")}data: [DONE]\n\n`));
  expect(await ask(url, { messages: [{ role: "user", content: "Hello" }] })).toEqual(["", "Hi"]);
  expect(requests[0]?.path).toBe("/v1/chat/completions");
});

test("a refusal is thrown with the gateway's code", async () => {
  const refusal = { error: { message: "The context holds 64 tokens.", code: "context_length_exceeded" } };
  const { url } = await serve((_, response) => response.writeHead(400).end(JSON.stringify(refusal)));
  await expect(ask(url, { prompt: "x" })).rejects.toMatchObject({ code: "CONTEXT_LENGTH_EXCEEDED" });
});

test("a failure in the middle of a stream is thrown after the text before it", async () => {
  const failure = { error: { message: "Worker 2 is gone.", code: "worker_lost" } };
  const { url } = await serve((_, response) => {
    response.end(`data: {"choices":[{"text":"a"}]}\n\ndata: ${JSON.stringify(failure)}\n\n`);
  });
  await expect(ask(url, { prompt: "x" })).rejects.toMatchObject({ code: "WORKER_LOST", message: "Worker 2 is gone." });
});

test.each<[string, (response: ServerResponse) => void]>([
  ["ends", (response) => response.end()],
  ["breaks", (response) => response.destroy()],
])("a stream that %s before its last event is a failure, after the text before it", async (_, end) => {
  const { url } = await serve((_, response) => {
    response.write('data: {"choices":[{"text":"a"}]}\n\n', () => end(response));
    return once(response, "close");
  });
  await expect(ask(url, { prompt: "x" })).rejects.toMatchObject({
    code: "NOT_RUNNING",
    message: "The gateway closed the connection before the answer was complete.",
  });
});

test("a stream that its reader interrupts ends with the reader's reason", async () => {
  const { url } = await serve((_, response) => {
    response.write('data: {"choices":[{"text":"a"}]}\n\n');
    return once(response, "close");
  });
  const abort = new AbortController();
  const request = { url, model: "breeze", sampling: SAMPLING, apiKey: undefined, signal: abort.signal };
  const pieces = streamText({ ...request, input: { prompt: "x" } });
  expect((await pieces.next()).value).toBe("a");
  abort.abort(new Error("enough"));
  await expect(pieces.next()).rejects.toThrow("enough");
});
