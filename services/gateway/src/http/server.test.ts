import { connect } from "node:net";
import { RhoneError, SECRET_HEADER } from "@rhone/common";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { errorBody } from "../request-error.js";
import { CLUSTER_SECRET, fakeGateway, hello } from "../testing/fake-gateway.js";
import { spin } from "../testing/spin.js";
import { whenTime } from "../turns.js";

const CHAT = "/v1/chat/completions";
const COMPLETIONS = "/v1/completions";
const messages = [{ role: "user", content: "hi" }];

const chunksOf = (body: string) =>
  body
    .split("\n\n")
    .filter((line) => line !== "" && line !== "data: [DONE]")
    .map((line) => JSON.parse(line.slice("data: ".length)));

describe("chat completions", () => {
  it("answers whole, without the space that SentencePiece adds", async () => {
    const { post } = fakeGateway();
    const response = await post(CHAT, { model: "tiny", messages, stop: null });
    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({
      object: "chat.completion",
      model: "tiny",
      choices: [{ index: 0, message: { role: "assistant", content: "Hello" }, finish_reason: "stop" }],
      usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
    });
  });

  it("streams with the usage on the finishing chunk", async () => {
    const { post } = fakeGateway();
    const response = await post(CHAT, { messages, stream: true });
    expect(response.headers["content-type"]).toBe("text/event-stream; charset=utf-8");
    expect(response.body.endsWith("data: [DONE]\n\n")).toBe(true);
    const chunks = chunksOf(response.body);
    expect(chunks.map(({ choices }) => choices[0].delta)).toEqual([
      { role: "assistant", content: "" },
      { content: "He" },
      { content: "llo" },
      {},
    ]);
    expect(chunks.map(({ choices }) => choices[0].finish_reason)).toEqual([null, null, null, "stop"]);
    expect(chunks.map((chunk) => "usage" in chunk)).toEqual([false, false, false, true]);
  });

  it("sends the usage in a chunk of its own when asked", async () => {
    const { post } = fakeGateway();
    const { body } = await post(CHAT, { messages, stream: true, stream_options: { include_usage: true } });
    expect(chunksOf(body).at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: 2 } });
  });

  it("gives n choices seeds of their own and counts the prompt once", async () => {
    const { post, jobs } = fakeGateway();
    const response = await post(CHAT, { messages, n: 2, seed: 7 });
    expect(jobs.map(({ sampling }) => sampling.seed)).toEqual([7, 8]);
    expect(response.json().choices).toHaveLength(2);
    expect(response.json().usage).toMatchObject({ prompt_tokens: 3, completion_tokens: 4 });
  });

  it("keeps the HTTP status of a failure before the first event", async () => {
    const { post } = fakeGateway(() => {
      throw new RhoneError("KV_FULL", "No page is free.");
    });
    const response = await post(CHAT, { messages, stream: true });
    expect(response.statusCode).toBe(503);
    expect(response.headers["retry-after"]).toBe("2");
  });

  it("reports a later failure in the stream, which then has no [DONE]", async () => {
    const { post } = fakeGateway(function* () {
      yield { tokens: [72], text: " He" };
      throw new RhoneError("WORKER_LOST", "A worker is gone.");
    });
    const { body } = await post(CHAT, { messages, stream: true });
    expect(body).not.toContain("[DONE]");
  });
});

describe("completions", () => {
  it("takes token ids as they are", async () => {
    const { post, jobs } = fakeGateway();
    const response = await post(COMPLETIONS, { prompt: [[5, 6], [7]], return_token_ids: true });
    expect(jobs.map(({ promptIds }) => promptIds)).toEqual([[5, 6], [7]]);
    expect(response.json().choices[1]).toMatchObject({
      index: 1,
      text: " Hello",
      token_ids: [72, 73],
      prompt_token_ids: [7],
    });
  });

  it("scores a prompt", async () => {
    const scores = [
      { token: 97, logprob: -2, top: [] },
      { token: 98, logprob: -0.125, top: [[98, -0.125] as const, [99, -3] as const] },
    ];
    const { post, jobs } = fakeGateway(() => [
      {
        tokens: [],
        text: "",
        logprobs: [],
        promptLogprobs: scores,
        finish: { reason: "length" },
        usage: { promptTokens: 2, completionTokens: 0, cachedTokens: 0 },
      },
    ]);
    const response = await post(COMPLETIONS, { prompt: "ab", max_tokens: 0, echo: true, logprobs: 2 });
    expect(jobs[0]).toMatchObject({ maxTokens: 0, promptLogprobs: 2 });
    expect(response.json().choices[0]).toMatchObject({
      text: "ab",
      finish_reason: "length",
      logprobs: {
        tokens: [" ", "a", "b"],
        token_logprobs: [null, -2, -0.125],
        top_logprobs: [null, { a: -2 }, { b: -0.125, c: -3 }],
        text_offset: [0, 0, 1],
      },
    });
  });
});

describe("refusals", () => {
  const cases: readonly [string, string, object, number, string, string | null][] = [
    ["no messages", CHAT, {}, 400, "invalid_value", "messages"],
    ["a hot temperature", CHAT, { messages, temperature: 3 }, 400, "invalid_value", "temperature"],
    ["functions for a text", COMPLETIONS, { prompt: "a", functions: [{}] }, 400, "unsupported_parameter", "functions"],
    ["tools for a text", COMPLETIONS, { prompt: "a", tools: [{}] }, 400, "unsupported_parameter", "tools"],
    [
      "a schema that nothing satisfies",
      CHAT,
      { messages, response_format: { type: "json_object", schema: false } },
      400,
      "invalid_value",
      "response_format",
    ],
    ["an unknown model", CHAT, { messages, model: "x" }, 404, "model_not_found", "model"],
    ["no tokens wanted", COMPLETIONS, { prompt: "a", max_tokens: 0 }, 400, "invalid_value", "max_tokens"],
    ["a foreign token", COMPLETIONS, { prompt: [256] }, 400, "invalid_value", "prompt"],
    ["a long prompt", COMPLETIONS, { prompt: "a".repeat(60) }, 400, "context_length_exceeded", "prompt"],
  ];
  it.each(cases)("%s", async (_name, url, payload, status, code, param) => {
    const response = await fakeGateway().post(url, payload);
    expect(response.statusCode).toBe(status);
    const body = response.json();
    expect(body).toMatchObject({ object: "error", code, param, error: { code, param, message: body.message } });
  });

  it("says how long the prompt and the context are", async () => {
    const response = await fakeGateway().post(COMPLETIONS, { prompt: "a".repeat(60) });
    expect(response.json().error).toMatchObject({ n_prompt_tokens: 61, n_ctx: 64 });
  });

  it("uses the envelope for what the framework refuses", async () => {
    const { app } = fakeGateway();
    const json = { "content-type": "application/json" };
    const responses = await Promise.all([
      app.inject({ method: "POST", url: CHAT, headers: json, payload: "{" }),
      app.inject({ method: "POST", url: CHAT, headers: json, payload: JSON.stringify({ pad: "x".repeat(5000) }) }),
      app.inject({ method: "POST", url: CHAT, headers: { "content-type": "text/xml" }, payload: "<a/>" }),
      app.inject({ method: "GET", url: CHAT }),
      app.inject({ method: "GET", url: "/nothing" }),
    ]);
    expect(responses.map(({ statusCode }) => statusCode)).toEqual([400, 413, 415, 405, 404]);
    expect(responses[3]?.headers.allow).toBe("POST, OPTIONS");
    expect(responses.map((response) => response.json().error.code)).toEqual([
      "invalid_json",
      "body_too_large",
      "unsupported_media_type",
      "method_not_allowed",
      "not_found",
    ]);
  });

  it("sends 2,000 characters of a message", () => {
    const { message } = errorBody(new RhoneError("NOT_FOUND", "a".repeat(5000)));
    expect(message).toBe(`${"a".repeat(2000)}…`);
  });

  it("asks to come back while no coordinator is ready", async () => {
    const { app, post } = fakeGateway(hello, "loading");
    const response = await post(CHAT, { messages });
    expect([response.statusCode, response.headers["retry-after"]]).toEqual([503, "2"]);
    expect((await app.inject("/ready")).statusCode).toBe(503);
    expect((await app.inject("/health")).statusCode).toBe(200);
  });
});

describe("connections", () => {
  it.each([
    [60_000, 15],
    [20_000, 10],
    [4000, 2],
    [1000, 1],
  ])("that idle are probed early enough: one that ends after %d ms from the %dth second", (sendTimeoutMs, seconds) => {
    const { app } = fakeGateway(hello, "ready", { sendTimeoutMs });
    expect(app.server).toMatchObject({ keepAlive: true, keepAliveInitialDelay: seconds });
  });
});

describe("operations", () => {
  it.each(["/health", "/ready"])("answers %s before 300 answers that wait to be written", async (probe) => {
    const { app } = fakeGateway();
    await app.ready();
    let written = 0;
    for (let each = 0; each < 300; each++) {
      whenTime("answer", () => {
        spin(2);
        written++;
      });
    }
    spin(15);
    await app.inject(probe);
    expect(written).toBeLessThan(200);
    await vi.waitFor(() => expect(written).toBe(300), 15_000); // under the stopped clock of another file they never end
  });

  it("lists the model, the status and the metrics", async () => {
    const { app, post } = fakeGateway();
    await post(CHAT, { messages });
    expect((await app.inject("/v1/models")).json().data[0]).toMatchObject({ id: "tiny", max_model_len: 64 });
    expect((await app.inject("/v1/models/tiny")).json().id).toBe("tiny");
    expect((await app.inject("/v1/models/small")).json()).toMatchObject({ id: "tiny", aliases: ["small"] });
    expect((await app.inject("/v1/models/none")).statusCode).toBe(404);
    const headers = { [SECRET_HEADER]: CLUSTER_SECRET };
    const status = (await app.inject({ url: "/status", headers })).json();
    expect(status).toMatchObject({ gateway: { id: "g1", pid: process.pid }, coordinators: [{}] });
    expect((await app.inject("/metrics")).body).toContain('outcome="ok"');
  });
});

describe("bytes that are no HTTP", () => {
  it.each([
    ["garbage", "hello?\r\n\r\n"],
    ["a wrong content length", "POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-length: abc\r\n\r\n"],
    ["a huge header", `GET / HTTP/1.1\r\nx: ${"y".repeat(40_000)}\r\n\r\n`],
  ])("%s gets the one error envelope", async (_, bytes) => {
    const { app } = fakeGateway();
    onTestFinished(() => app.close());
    const address = new URL(await app.listen({ host: "127.0.0.1", port: 0 }));
    const socket = connect(Number(address.port), "127.0.0.1").setEncoding("utf8");
    socket.write(bytes);
    let answer = "";
    for await (const part of socket) answer += part;
    expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    const body = JSON.parse(answer.slice(answer.indexOf("\r\n\r\n")));
    expect(body).toMatchObject({ error: { code: "invalid_value", message: expect.stringContaining("not HTTP") } });
  });
});
