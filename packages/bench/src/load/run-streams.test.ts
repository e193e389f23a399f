import { Agent } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { FakeGateway, type FakeGatewayOptions } from "../testing/fake-gateway.js";
import { type Load, runStreams } from "./run-streams.js";

let gateway: FakeGateway;
const agent = new Agent({ keepAlive: true });
afterEach(() => gateway.close());

async function run(options: FakeGatewayOptions, load: Partial<Load> = {}) {
  gateway = await FakeGateway.open(options);
  const { signal } = new AbortController();
  const prompts = [
    [1, 2],
    [3, 4, 5],
    [6, 7],
  ];
  return runStreams({ agent, url: gateway.url, model: "m", prompts, maxTokens: 4, cache: false, signal, ...load });
}

describe("runStreams", () => {
  it("asks for exact greedy tokens and notes when each arrived", async () => {
    const streams = await run({});
    for (const { sentAt, arrivals } of streams) {
      expect(arrivals).toHaveLength(4);
      expect(arrivals.toSorted((a, b) => a - b)).toEqual(arrivals);
      expect(arrivals[0]).toBeGreaterThanOrEqual(sentAt);
    }
    const asked = { max_tokens: 4, temperature: 0, ignore_eos: true, cache_prompt: false, stream: true };
    expect(gateway.requests).toHaveLength(3);
    for (const request of gateway.requests) expect(request).toMatchObject(asked);
  });

  it("tells once when all decode and once when the first has ended", async () => {
    const heard: string[] = [];
    await run({}, { onAllDecoding: () => heard.push("decoding"), onFirstEnd: () => heard.push("end") });
    expect(heard.toSorted()).toEqual(["decoding", "end"]);
  });

  it.each([
    ["one-token-less", "MEASUREMENT_VOID", /returned 3 prompt and 3 generated tokens; the request was for 3 and 4/],
    ["error-chunk", "WORKER_LOST", /lost it/],
    ["hang-up", "MEASUREMENT_VOID", /broke after 1 tokens/],
    ["refusal", "QUEUE_FULL", /too much/],
  ] as const)("fails with a stream's own failure: %s", async (fault, code, message) => {
    const failed = run({ fault: ({ prompt }) => (prompt.length === 3 ? fault : null) });
    await expect(failed).rejects.toThrowError(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  });

  it("says so when nobody answers", async () => {
    const failed = run({}, { url: "http://127.0.0.1:1" });
    await expect(failed).rejects.toThrowError(expect.objectContaining({ code: "NOT_RUNNING" }));
  });

  it("ends with the reason when it is interrupted", async () => {
    const interrupt = new AbortController();
    const reason = new Error("enough");
    const failed = run({}, { signal: interrupt.signal, onAllDecoding: () => interrupt.abort(reason), maxTokens: 1000 });
    await expect(failed).rejects.toBe(reason);
  });
});
