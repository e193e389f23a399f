import { newApiKey, RhoneError } from "@rhone/common";
import { describe, expect, it, vi } from "vitest";
import { type EndedSpan, memoryTracing, treeOf } from "../../../../packages/common/src/testing/memory-tracing.js";
import { runLine } from "../batches/run-line.js";
import { type FakeOptions, fakeGateway, type Script } from "../testing/fake-gateway.js";
import { testBatch } from "../testing/test-batch.js";

/** A gateway whose spans are kept. `env`: settings of the traces. */
async function traced({
  script,
  env,
  ...options
}: FakeOptions & { script?: Script; env?: Record<string, string> } = {}) {
  const { tracing, spans } = await memoryTracing(env);
  const gateway = fakeGateway(script, "ready", { ...options, tracing });
  /** The spans once the one with this name has ended. */
  const ended = async (name: string): Promise<readonly EndedSpan[]> => {
    await vi.waitFor(() => expect(spans().map((span) => span.name)).toContain(name), 10_000);
    return spans();
  };
  return { ...gateway, spans, ended };
}

const named = (spans: readonly EndedSpan[], name: string) => spans.find((span) => span.name === name);
const failing: Script = () => {
  throw new RhoneError("WORKER_LOST", "Worker w was lost.");
};

describe("a traced request", () => {
  it.each([
    ["/v1/chat/completions", "chat", { messages: [{ role: "user", content: "a" }] }],
    ["/v1/messages", "chat", { messages: [{ role: "user", content: "a" }], max_tokens: 5, model: "tiny" }],
    ["/v1/responses", "chat", { input: "a", max_output_tokens: 5 }],
    ["/v1/completions", "text_completion", { prompt: "a" }],
    ["/v1/embeddings", "embeddings", { input: "a" }],
  ])("to %s is admitted, parsed, tokenized and generated", async (path, operation, body) => {
    const { post, ended } = await traced();
    await post(path, body);
    expect(treeOf(await ended(`POST ${path}`))).toEqual([
      `POST ${path}`,
      ...["  admit", "  parse", "  find model", "  tokenize", "  find room", `  ${operation} tiny`],
    ]);
  });

  it("says what was asked for and used, by the names of the conventions, and no text", async () => {
    const { post, ended, jobs } = await traced();
    const asked = { messages: [{ role: "user", content: "secret" }], max_tokens: 9, top_p: 0.5, n: 2, stream: true };
    await post("/v1/chat/completions", { ...asked, stop: "secret" });
    const spans = await ended("POST /v1/chat/completions");
    const chat = named(spans, "chat tiny");
    expect(chat?.attributes).toEqual({
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "rhone",
      "gen_ai.request.model": "tiny",
      "gen_ai.response.model": "tiny",
      "gen_ai.response.id": jobs[0]?.requestId.replace(/-0$/, ""),
      "gen_ai.request.max_tokens": 9,
      "gen_ai.request.temperature": 1,
      "gen_ai.request.top_p": 0.5,
      "gen_ai.request.stream": true,
      "gen_ai.request.choice.count": 2,
      "gen_ai.response.time_to_first_chunk": expect.any(Number),
      "gen_ai.usage.input_tokens": jobs[0]?.promptIds.length,
      "gen_ai.usage.cache_read.input_tokens": 0,
      "gen_ai.usage.output_tokens": 4,
      "gen_ai.response.finish_reasons": ["stop", "stop"],
    });
    expect(named(spans, "POST /v1/chat/completions")?.attributes).toMatchObject({
      "http.request.method": "POST",
      "http.route": "/v1/chat/completions",
      "http.response.status_code": 200,
    });
    expect(JSON.stringify(spans)).not.toContain("secret");
    expect(jobs.map(({ trace }) => trace)).toEqual(
      Array(2).fill({ traceparent: `00-${chat?.traceId}-${chat?.spanId}-01` }),
    );
  });

  it("goes on with its caller's trace", async () => {
    const { post, ended } = await traced({ env: { OTEL_TRACES_SAMPLER_ARG: "0" } });
    const [traceId, caller] = ["4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"];
    await post("/v1/completions", { prompt: "a" });
    await post("/v1/completions", { prompt: "a" }, { traceparent: `00-${traceId}-${caller}-01` });
    const spans = await ended("POST /v1/completions");
    expect(spans.filter(({ name }) => name === "POST /v1/completions")).toMatchObject([{ traceId, parent: caller }]);
  });

  it("whose grammar is built has that as a part", async () => {
    const { post, ended } = await traced();
    await post("/v1/completions", { prompt: "a", guided_regex: "a+" });
    expect(treeOf(await ended("POST /v1/completions"))).toContain("  build grammar");
  });

  it("that fails says why; a client's mistake is no failure", async () => {
    const { post, ended } = await traced({ script: failing });
    await post("/v1/completions", { prompt: "a" });
    const spans = await ended("POST /v1/completions");
    for (const name of ["text_completion tiny", "POST /v1/completions"])
      expect(named(spans, name)).toMatchObject({ hasFailed: true, attributes: { "error.type": "WORKER_LOST" } });

    const refusing = await traced();
    await refusing.post("/v1/completions", { prompt: "a", temperature: -1 });
    const refused = named(await refusing.ended("POST /v1/completions"), "POST /v1/completions");
    const attributes = { "error.type": "INVALID_REQUEST", "http.response.status_code": 400 };
    expect(refused).toMatchObject({ hasFailed: false, attributes });
  });

  it("may be one for a file, but none for health and metrics", async () => {
    const { app, ended } = await traced();
    for (const url of ["/health", "/ready", "/metrics", "/status"]) await app.inject(url);
    await app.inject("/v1/files");
    expect(treeOf(await ended("GET /v1/files"))).toEqual(["GET /v1/files", "  admit"]);
  });
});

it("a batch line has a trace of its own, linked to the request that made its batch; retries are events", async () => {
  let attempts = 0;
  const script: Script = (job) =>
    attempts++ === 0
      ? failing(job)
      : [
          {
            tokens: [72],
            text: "H",
            finish: { reason: "length" },
            usage: { promptTokens: 2, completionTokens: 1, cachedTokens: 0 },
          },
        ];
  const gateway = await traced({ script });
  const trace = { traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01` };
  const batch = testBatch({ trace });
  const signal = new AbortController().signal;
  const ran = await runLine({
    uses: gateway,
    batch,
    number: 3,
    line: { customId: "mine", body: { prompt: "a" } },
    signal,
    pauseMs: 1,
  });
  ran.release();
  const spans = gateway.spans();
  const attempt = ["  find model", "  tokenize", "  text_completion tiny"];
  expect(treeOf(spans)).toEqual(["batch line", ...attempt, ...attempt]);
  expect(named(spans, "batch line")).toMatchObject({
    links: ["b".repeat(16)],
    attributes: { "rhone.batch": batch.id, "rhone.batch_line": 3 },
    events: [{ name: "retry", attributes: { "error.type": "WORKER_LOST", "rhone.attempt": 1 } }],
    hasFailed: false,
  });
  expect(named(spans, "batch line")?.traceId).not.toBe("a".repeat(32));
});

it("the request that makes a batch is kept with it", async () => {
  const { key, secret } = newApiKey({ name: "team", requestsPerMinute: null, tokensPerMinute: null });
  const { app, batches, ended } = await traced({ keys: [key] });
  const headers = { authorization: `Bearer ${secret}` };
  const payload = { endpoint: "/v1/completions", model: "tiny", requests: [{ body: { prompt: "a" } }] };
  const made = await app.inject({ method: "POST", url: "/v1/batch/jobs", headers, payload });
  const { id } = made.json() as { readonly id: string };
  const span = named(await ended("POST /v1/batch/jobs"), "POST /v1/batch/jobs");
  expect(span?.attributes).toMatchObject({ "rhone.batch": id, "rhone.key": "team" });
  const [batch] = await batches.getAll([id], { owner: "team" });
  expect(batch?.trace).toEqual({ traceparent: `00-${span?.traceId}-${span?.spanId}-01` });
});
