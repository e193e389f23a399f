import { type Logger, newApiKey } from "@rhone/common";
import { describe, expect, it, vi } from "vitest";
import { memoryTracing } from "../../../../packages/common/src/testing/memory-tracing.js";
import { type FakeOptions, fakeGateway } from "../testing/fake-gateway.js";

/** A gateway with a logger whose lines of requests are kept. */
function logged(options: FakeOptions = {}) {
  const lines: Record<string, unknown>[] = [];
  const quiet = () => {};
  const info = (fields: Record<string, unknown>, message: string) => void (message === "request" && lines.push(fields));
  const logger = { info, warn: quiet, error: quiet, debug: quiet } as unknown as Logger;
  const gateway = fakeGateway(undefined, "ready", { ...options, logger });
  const line = async () => {
    await vi.waitFor(() => expect(lines).toHaveLength(1), 10_000);
    return lines[0];
  };
  return { ...gateway, lines, line };
}

const { key, secret } = newApiKey({ name: "team", requestsPerMinute: null, tokensPerMinute: null });
const authorization = { authorization: `Bearer ${secret}` };

describe("the line of a request", () => {
  it.each([{ stream: false }, { stream: true }])(
    "says who asked for what, and what came of it: %o",
    async ({ stream }) => {
      const { post, line, jobs } = logged({ keys: [key] });
      const headers = { ...authorization, "x-request-id": "mine" };
      await post("/v1/completions", { prompt: "secret", stop: "secret", stream }, headers);
      const found = await line();
      expect(found).toEqual({
        httpRequest: "mine",
        endpoint: "POST /v1/completions",
        key: "team",
        status: 200,
        outcome: "ok",
        ms: expect.any(Number),
        id: jobs[0]?.requestId.replace(/-0$/, ""),
        model: "tiny",
        preparedMs: expect.any(Number),
        firstTokenMs: expect.any(Number),
        promptTokens: jobs[0]?.promptIds.length,
        cachedTokens: 0,
        completionTokens: 2,
      });
      expect(JSON.stringify(found)).not.toContain("secret");
      const { preparedMs, firstTokenMs, ms } = found as Record<string, number>;
      expect([preparedMs, firstTokenMs, ms].toSorted((a = 0, b = 0) => a - b)).toEqual([preparedMs, firstTokenMs, ms]);
    },
  );

  it("is left out for most of a flood of refused requests, which the next line counts", async () => {
    const { post, lines } = logged({ keys: [key] });
    for (let i = 0; i < 60; i++) await post("/v1/completions", {}, {});
    await vi.waitFor(() => expect(lines).toHaveLength(50));
    await post("/v1/completions", { prompt: "a" }, authorization);
    await vi.waitFor(() => expect(lines).toHaveLength(51), 10_000);
    expect(lines.map(({ leftOut }) => leftOut).filter((count) => count !== undefined)).toEqual([10]);
  });

  it.each([
    ["of a bad field", { prompt: {} }, authorization, { outcome: "invalid_request", status: 400, key: "team" }],
    ["without a key", { prompt: "a" }, {}, { outcome: "invalid_api_key", status: 401, key: undefined }],
  ])("%s says why it was refused", async (_, body, headers, expected) => {
    const { post, line } = logged({ keys: [key] });
    await post("/v1/completions", body, headers);
    expect(await line()).toMatchObject(expected);
  });

  it("of an unknown path has no endpoint", async () => {
    const { app, line } = logged();
    await app.inject("/v1/nothing");
    expect(await line()).toMatchObject({ endpoint: "GET none", status: 404, outcome: "not_found" });
  });

  it("names its trace", async () => {
    const { tracing } = await memoryTracing();
    const { post, line } = logged({ tracing });
    const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    await post("/v1/completions", { prompt: "a" }, { traceparent });
    const trace = { trace_id: "4bf92f3577b34da6a3ce929d0e0e4736", span_id: expect.stringMatching(/^[\da-f]{16}$/) };
    expect(await line()).toMatchObject(trace);
  });
});

it("health and metrics have no lines, nor has anything where they are turned off", async () => {
  const { app, lines } = logged();
  for (const url of ["/health", "/metrics", "/status"]) await app.inject(url);
  const off = logged({ requestLog: false });
  await off.post("/v1/completions", { prompt: "a" });
  expect([...lines, ...off.lines]).toEqual([]);
});
