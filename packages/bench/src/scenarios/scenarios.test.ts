import { Command } from "commander";
import { afterEach, describe, expect, it } from "vitest";
import type { ScenarioResult } from "./scenario.js";
import type { BatchBenchFigures } from "./scenarios/batch.js";
import type { MixedFigures } from "./scenarios/mixed.js";
import type { OverheadFigures } from "./scenarios/overhead.js";
import type { PrefixFigures } from "./scenarios/prefix.js";
import type { ScaleFigures } from "./scenarios/scale.js";
import type { WindowFigures } from "./scenarios/window.js";
import { SCENARIOS } from "./scenarios.js";
import type { SweepPoint } from "./sweep-turn.js";
import { fakeContext } from "./testing/fake-context.js";
import { FakeGateway, type FakeGatewayOptions } from "./testing/fake-gateway.js";

let gateway: FakeGateway | undefined;
afterEach(() => gateway?.close());

async function run<T>(name: string, args: readonly string[], options: FakeGatewayOptions = {}) {
  gateway = await FakeGateway.open(options);
  const scenario = SCENARIOS.find((each) => each.name === name);
  const command = scenario?.configure(new Command()).parse(args, { from: "user" });
  const result = await scenario?.run(fakeContext(gateway.url), command?.opts() as never);
  return { figures: result?.figures as T, text: (result as ScenarioResult).text };
}

describe("sweep", () => {
  it("measures each concurrency after as many short streams", async () => {
    const args = ["-c", "1,3", "--prompt-tokens", "5", "--max-tokens", "6", "--repeat", "2"];
    const { figures, text } = await run<{ points: readonly SweepPoint[] }>("sweep", args);
    expect(figures.points.map(({ concurrency, decodeRuns }) => [concurrency, decodeRuns.length])).toEqual([
      [1, 2],
      [3, 2],
    ]);
    for (const point of figures.points) {
      expect(point.decodeTokensPerSecond).toBeGreaterThan(0);
      expect(point.itlMs.p50).toBeLessThanOrEqual(point.itlMs.p99);
      expect(point.inside).not.toBeNull();
      expect(point.baseline).toBeNull();
    }
    const lengths = gateway?.requests.map(({ prompt, max_tokens }) => [prompt.length, max_tokens]);
    const turn = (n: number) => [...Array(n).fill([8, 4]), ...Array(n).fill([5, 6])];
    expect(lengths).toEqual([...turn(1), ...turn(1), ...turn(3), ...turn(3)]);
    expect(text).toMatch(/^STREAMS +TTFT p50/);
  });

  it("sends no prompt twice, so that no cache serves one", async () => {
    await run("sweep", ["-c", "2,4", "--max-tokens", "6"]);
    const prompts = gateway?.requests.map(({ prompt }) => String(prompt)) ?? [];
    expect(new Set(prompts).size).toBe(prompts.length);
    expect(gateway?.requests.some(({ cache_prompt }) => cache_prompt)).toBe(false);
  });
});

describe("mixed", () => {
  it("compares gaps without and with long prompts, and leaves the streams", async () => {
    const args = ["--streams", "2", "--quiet-tokens", "5", "--long-prompts", "2", "--long-prompt-tokens", "100"];
    const { figures, text } = await run<MixedFigures>("mixed", args, { contextLength: 1e6 });
    expect(figures.longTtftMs).toHaveLength(2);
    expect(figures.itlP99Ratio).toBeCloseTo(figures.busy.itlMs.p99 / figures.quiet.itlMs.p99, 6);
    expect(gateway?.requests.filter(({ prompt }) => prompt.length === 100)).toHaveLength(2);
    expect(text).toContain("ITL p99 with long prompts / alone");
  });

  it("is void when a stream ends too early", async () => {
    const args = ["--streams", "2", "--prompt-tokens", "8", "--quiet-tokens", "50"];
    const failed = run("mixed", args, { contextLength: 20 });
    await expect(failed).rejects.toThrowError(expect.objectContaining({ code: "MEASUREMENT_VOID" }));
  });
});

describe("prefix", () => {
  it("sends one prefix with other tails, and reports what was cached", async () => {
    const args = ["--prefix-tokens", "20", "--tail-tokens", "20", "--requests", "3"];
    const { figures, text } = await run<PrefixFigures>("prefix", args);
    expect(figures.first.cachedTokens).toBe(0);
    expect(figures.later.map(({ cachedTokens }) => cachedTokens)).toEqual([20, 20, 20]);
    const sent = gateway?.requests.slice(1) ?? [];
    expect(new Set(sent.map(({ prompt }) => String(prompt.slice(0, 20)))).size).toBe(1);
    expect(new Set(sent.map(({ prompt }) => String(prompt))).size).toBe(4);
    expect(sent.every(({ cache_prompt }) => cache_prompt)).toBe(true);
    expect(text).toContain("20 of 40");
  });
});

describe("speculate", () => {
  it("needs clusters of its own", async () => {
    const context = fakeContext("http://127.0.0.1:1");
    const refuses = { ...context, withCluster: async (_: unknown, changes?: object) => Promise.reject(changes) };
    const scenario = SCENARIOS.find(({ name }) => name === "speculate");
    const options = scenario?.configure(new Command()).parse([], { from: "user" }).opts() as never;
    await expect(scenario?.run(refuses as never, options)).rejects.toEqual({ speculate: 0 });
  });
});

describe("window", () => {
  it("decodes at multiples of the model's window", async () => {
    const { figures } = await run<WindowFigures>("window", ["--multiples", "1,3"], { slidingWindow: 16 });
    expect(figures.points.map(({ position }) => position)).toEqual([16, 48]);
    expect(figures.points.every(({ msPerToken }) => msPerToken.p50 >= 0)).toBe(true);
  });

  it.each([
    ["no window", { slidingWindow: null }, /without a sliding window/],
    ["too short a context", { slidingWindow: 2048 }, /8224 positions .* context holds 4096/],
  ])("refuses a cluster with %s", async (_, options, message) => {
    await expect(run("window", [], options)).rejects.toThrowError(
      expect.objectContaining({ code: "INVALID_CONFIG", message: expect.stringMatching(message) }),
    );
  });
});

describe("batch", () => {
  const args = ["--lines", "5", "--streams", "2", "--max-tokens", "3", "--idle-seconds", "1", "--pause", "1"];

  it("measures first tokens without a batch and beside it", async () => {
    const { figures, text } = await run<BatchBenchFigures>("batch", args);
    expect(figures.lines).toBe(5);
    for (const { requests, ttftMs } of [figures.idle, figures.busy]) {
      expect(requests).toBeGreaterThanOrEqual(2);
      expect(ttftMs.p50).toBeGreaterThan(0);
    }
    expect(figures.ttftP95Ratio).toBeCloseTo(figures.busy.ttftMs.p95 / figures.idle.ttftMs.p95, 6);
    expect(text).toMatch(/batch: 5 lines in/);
  });

  it("is void when a line was not answered", async () => {
    const failed = run("batch", args, { failedLines: 1 });
    await expect(failed).rejects.toThrowError(expect.objectContaining({ code: "MEASUREMENT_VOID" }));
  });
});

describe("overhead", () => {
  const args = ["--streams", "3", "--max-tokens", "4", "--warm-up", "0", "--seconds", "0.2"];

  it("asks again and again, and counts what comes", async () => {
    const { figures, text } = await run<OverheadFigures>("overhead", args);
    expect(gateway?.requests.length).toBeGreaterThan(3);
    expect(new Set(gateway?.requests.map(({ prompt }) => String(prompt))).size).toBe(3);
    expect(figures.clientTokensPerSecond).toBeGreaterThan(0);
    expect(figures.tokensPerSecond).toBeGreaterThan(0);
    expect(figures.tokensPerChunk).toBeGreaterThan(0);
    expect(text).toContain("TOKENS/s");
  });

  it("is void when an answer is not what was asked for", async () => {
    const failed = run("overhead", args, { fault: () => "error-chunk" });
    await expect(failed).rejects.toThrowError(expect.objectContaining({ code: "MEASUREMENT_VOID" }));
  });
});

describe("scale", () => {
  it("runs the coordinator's scheduler on a virtual clock", async () => {
    const args = ["--stages", "1,2", "--hop-ms", "0", "--sequences-per-stage", "2", "--seconds", "1"];
    const { figures, text } = await run<ScaleFigures>("scale", args);
    expect(figures.processes).toEqual([]);
    expect(figures.virtual.map(({ stages, sequences }) => [stages, sequences])).toEqual([
      [1, 2],
      [2, 4],
    ]);
    for (const { share } of figures.virtual) expect(share).toBeGreaterThan(0.99);
    expect(text).toContain("virtual clock: 5 ms per step and stage, 0 ms per row, 0 ms per hop");
  });
});
