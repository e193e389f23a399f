import { afterEach, describe, expect, it } from "vitest";
import type { FloodFigures } from "../measure/measure-flood.js";
import type { ScenarioOption } from "../options.js";
import type { Table } from "../report/tables.js";
import type { BenchContext, Scenario, ScenarioResult } from "../scenario.js";
import { fakeContext } from "../testing/fake-context.js";
import { FakeGateway, type FakeGatewayOptions } from "../testing/fake-gateway.js";
import { SCENARIOS } from "./all.js";
import type { BatchBenchFigures } from "./batch.js";
import type { MixedFigures } from "./mixed.js";
import type { TraceFigures } from "./overhead.js";
import type { PrefixFigures } from "./prefix.js";
import type { ScaleFigures } from "./scale.js";
import type { ScrapesFigures } from "./scrapes.js";
import type { SpeculateFigures } from "./speculate.js";
import type { SweepPoint } from "./sweep-turn.js";
import type { WindowFigures } from "./window.js";

let gateway: FakeGateway | undefined;
afterEach(() => gateway?.close());

type Values = Parameters<Scenario["run"]>[1];

const initialOf = (option: ScenarioOption) => (option.kind === "switch" ? false : option.initial);

function scenarioOf(name: string): Scenario {
  const scenario = SCENARIOS.find((each) => each.name === name);
  if (scenario === undefined) throw new Error(`no scenario ${name}`);
  return scenario;
}

/** The scenario's own defaults with `values` in their place. */
async function run<T>(name: string, values: Values = {}, options: FakeGatewayOptions = {}) {
  gateway = await FakeGateway.open(options);
  const scenario = scenarioOf(name);
  const defaults = Object.entries(scenario.options).map(([key, option]) => [key, initialOf(option)]);
  const result = await scenario.run(fakeContext(gateway.url), { ...Object.fromEntries(defaults), ...values });
  return { figures: result.figures as T, tables: tablesOf(result), lines: linesOf(result) };
}

const tablesOf = ({ report }: ScenarioResult) => report.filter((block): block is Table => typeof block !== "string");
const linesOf = ({ report }: ScenarioResult) => report.filter((block) => typeof block === "string").join("\n");

describe("sweep", () => {
  it("measures each concurrency after as many short streams", async () => {
    const values = { concurrency: [1, 3], promptTokens: 5, maxTokens: 6, repeat: 2 };
    const { figures, tables } = await run<{ points: readonly SweepPoint[] }>("sweep", values);
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
    expect(tables.map(({ heading, rows }) => [...heading.slice(0, 2), rows.length])).toEqual([
      ["STREAMS", "TTFT p50", 2],
      ["STREAMS", "BUSY % by stage", 2],
    ]);
  });

  it("sends no prompt twice, so that no cache serves one", async () => {
    await run("sweep", { concurrency: [2, 4], maxTokens: 6 });
    const prompts = gateway?.requests.map(({ prompt }) => String(prompt)) ?? [];
    expect(new Set(prompts).size).toBe(prompts.length);
    expect(gateway?.requests.some(({ cache_prompt }) => cache_prompt)).toBe(false);
  });
});

describe("sweep's flags", () => {
  it("--cache lets the prefix cache serve what is measured, not what warms up", async () => {
    await run("sweep", { concurrency: [1], maxTokens: 6, cache: true });
    expect(gateway?.requests.map(({ cache_prompt }) => cache_prompt)).toEqual([false, true]);
  });

  it("--baseline refuses a cluster that computes on a device", async () => {
    await expect(run("sweep", { concurrency: [1], baseline: true }, { device: "CUDA0" })).rejects.toMatchObject({
      code: "INVALID_CONFIG",
      message: "--baseline compares CPUs; worker w computes on CUDA0.",
    });
  });

  it("a cluster that can't be seen into is measured all the same", async () => {
    const { lines, tables } = await run("sweep", { concurrency: [1], maxTokens: 6 }, { operations: "127.0.0.1:1" });
    expect(tables).toHaveLength(1);
    expect(lines).toBe("No figures of the stages: this machine can't reach the operations servers.");
  });
});

describe("mixed", () => {
  it("compares gaps without and with long prompts, and leaves the streams", async () => {
    const values = { streams: 2, quietTokens: 5, longPrompts: 2, longPromptTokens: 100 };
    const { figures, lines } = await run<MixedFigures>("mixed", values, { contextLength: 1e6 });
    expect(figures.longTtftMs).toHaveLength(2);
    expect(figures.itlP99Ratio).toBeCloseTo(figures.busy.itlMs.p99 / figures.quiet.itlMs.p99, 6);
    expect(gateway?.requests.filter(({ prompt }) => prompt.length === 100)).toHaveLength(2);
    expect(lines).toContain("ITL p99 with long prompts / alone");
  });

  it("is void when a stream ends too early", async () => {
    const values = { streams: 2, promptTokens: 8, quietTokens: 50 };
    const failed = run("mixed", values, { contextLength: 20 });
    await expect(failed).rejects.toThrowError(expect.objectContaining({ code: "MEASUREMENT_VOID" }));
  });
});

describe("prefix", () => {
  it("sends one prefix with other tails, and reports what was cached", async () => {
    const values = { prefixTokens: 20, tailTokens: 20, requests: 3 };
    const { figures, tables } = await run<PrefixFigures>("prefix", values);
    expect(figures.first.cachedTokens).toBe(0);
    expect(figures.later.map(({ cachedTokens }) => cachedTokens)).toEqual([20, 20, 20]);
    const sent = gateway?.requests.slice(1) ?? [];
    expect(new Set(sent.map(({ prompt }) => String(prompt.slice(0, 20)))).size).toBe(1);
    expect(new Set(sent.map(({ prompt }) => String(prompt))).size).toBe(4);
    expect(sent.every(({ cache_prompt }) => cache_prompt)).toBe(true);
    expect(tables[0]?.rows.map((row) => row[2])).toEqual(["0 of 40", "20 of 40", "20 of 40", "20 of 40"]);
  });
});

describe("prefix", () => {
  it("compares the median of the later requests with the first", async () => {
    const { figures, lines } = await run<PrefixFigures>("prefix", { prefixTokens: 8, tailTokens: 8, requests: 3 });
    const later = figures.later.map(({ ttftMs }) => ttftMs).toSorted((a, b) => a - b);
    expect(figures.ttftRatio).toBeCloseTo((later[1] ?? 0) / figures.first.ttftMs, 9);
    expect(lines).toBe(`TTFT later / first: ${figures.ttftRatio.toFixed(3)}`);
  });
});

describe("speculate", () => {
  it("compares each number of drafts with none, on clusters of its own", async () => {
    gateway = await FakeGateway.open({ acceptance: 0.25 });
    const context = fakeContext(gateway.url);
    const changes: unknown[] = [];
    const withCluster: BenchContext["withCluster"] = (body, change) => {
      changes.push(change);
      return context.withCluster(body);
    };
    const values = { concurrency: [1, 2], drafts: [4], promptTokens: 12, maxTokens: 8, times: 3 };
    const result = await scenarioOf("speculate").run({ ...context, withCluster }, values);
    const { points } = result.figures as SpeculateFigures;
    expect(changes).toEqual([{ speculate: 0 }, { speculate: 4 }]);
    expect(points.map(({ concurrency, drafts }) => [concurrency, drafts])).toEqual([
      [1, 0],
      [2, 0],
      [1, 4],
      [2, 4],
    ]);
    expect(points.slice(0, 2).map(({ ratio }) => ratio)).toEqual([1, 1]);
    expect(points[2]?.ratio).toBeCloseTo(
      (points[2]?.decodeTokensPerSecond ?? 0) / (points[0]?.decodeTokensPerSecond ?? 1),
    );
    expect(tablesOf(result)[0]?.rows.map((row) => row.at(-1))).toEqual(Array(4).fill("25 %"));
    const [prompt = []] = gateway.requests.slice(1).map((request) => request.prompt);
    expect(prompt.slice(4, 8)).toEqual(prompt.slice(0, 4));
  });
});

describe("window", () => {
  it("decodes at multiples of the model's window", async () => {
    const { figures } = await run<WindowFigures>("window", { multiples: [1, 3] }, { slidingWindow: 16 });
    expect(figures.points.map(({ position }) => position)).toEqual([16, 48]);
    expect(figures.points.every(({ msPerToken }) => msPerToken.p50 >= 0)).toBe(true);
  });

  it("shows what can't be seen as unknown", async () => {
    const options = { slidingWindow: 16, operations: "127.0.0.1:1" };
    const { figures, tables, lines } = await run<WindowFigures>("window", { multiples: [2] }, options);
    expect(figures.points).toMatchObject([{ multiple: 2, position: 32, usedPages: null, workerBytes: null }]);
    expect(tables[0]?.rows[0]?.slice(0, 2)).toEqual(["2x", "32"]);
    expect(tables[0]?.rows[0]?.slice(-2)).toEqual(["?", "?"]);
    expect(lines).toBe("sliding window 16");
  });

  it("ends with a stream's own failure", async () => {
    const fault: FakeGatewayOptions["fault"] = ({ prompt }) => (prompt.length === 32 ? "error-chunk" : null);
    const failed = run("window", { multiples: [1, 2] }, { slidingWindow: 16, fault });
    await expect(failed).rejects.toMatchObject({ code: "WORKER_LOST" });
  });

  it.each([
    ["no window", { slidingWindow: null }, /without a sliding window/],
    ["too short a context", { slidingWindow: 2048 }, /8224 positions; .* context has 4096/],
  ])("refuses a cluster with %s", async (_, options, message) => {
    await expect(run("window", {}, options)).rejects.toThrowError(
      expect.objectContaining({ code: "INVALID_CONFIG", message: expect.stringMatching(message) }),
    );
  });
});

describe("batch", () => {
  const values = { lines: 5, streams: 2, maxTokens: 3, idleSeconds: 0.05, pause: 1 };

  it("measures first tokens without a batch and beside it", async () => {
    const { figures, lines } = await run<BatchBenchFigures>("batch", values);
    expect(figures.lines).toBe(5);
    for (const { requests, ttftMs } of [figures.idle, figures.busy]) {
      expect(requests).toBeGreaterThanOrEqual(2);
      expect(ttftMs.p50).toBeGreaterThan(0);
    }
    expect(figures.ttftP95Ratio).toBeCloseTo(figures.busy.ttftMs.p95 / figures.idle.ttftMs.p95, 6);
    expect(lines).toMatch(/^batch: 5 lines in/);
  });

  it("is void when a line was not answered", async () => {
    const failed = run("batch", values, { failedLines: 1 });
    await expect(failed).rejects.toThrowError(expect.objectContaining({ code: "MEASUREMENT_VOID" }));
  });
});

describe("overhead", () => {
  const values = { streams: 3, maxTokens: 4, warmUp: 0, seconds: 0.2 };

  it("asks again and again, and counts what comes", async () => {
    const { figures, tables } = await run<FloodFigures>("overhead", values);
    expect(gateway?.requests.length).toBeGreaterThan(3);
    expect(new Set(gateway?.requests.map(({ prompt }) => String(prompt))).size).toBe(3);
    expect(figures.clientTokensPerSecond).toBeGreaterThan(0);
    expect(figures.tokensPerSecond).toBeGreaterThan(0);
    expect(figures.tokensPerChunk).toBeGreaterThan(0);
    expect(tables[0]?.heading).toContain("TOKENS/s");
  });

  it.each([
    [undefined, "null"],
    ["stage-ms=5", "stage-ms=5"],
  ])("starts simulated workers, as --simulate %s asks", async (simulation, expected) => {
    gateway = await FakeGateway.open();
    const context = fakeContext(gateway.url);
    const changes: unknown[] = [];
    const withCluster: BenchContext["withCluster"] = (body, change) => {
      changes.push(change);
      return context.withCluster(body);
    };
    await scenarioOf("overhead").run(
      { ...context, spawns: true, simulation, withCluster },
      { ...values, promptTokens: 4 },
    );
    expect(changes).toEqual([{ simulate: expected }]);
  });

  it("measures a cluster that traces a share in turn with one that traces nothing", async () => {
    gateway = await FakeGateway.open();
    const context = fakeContext(gateway.url);
    const changes: unknown[] = [];
    const withCluster: BenchContext["withCluster"] = (body, change) => {
      changes.push(change);
      return context.withCluster(body);
    };
    const given = { ...values, promptTokens: 4, traces: 0.05, turns: 2 };
    const result = await scenarioOf("overhead").run({ ...context, spawns: true, withCluster }, given);
    const otlpEndpoint = expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(changes).toEqual([
      { simulate: "null", tracesSamplerArg: 0 },
      { simulate: "null", tracesSamplerArg: 0.05, otlpEndpoint },
    ]);
    const figures = result.figures as TraceFigures;
    expect(figures).toMatchObject({ traces: 0.05, traceBytes: 0 });
    expect(figures.turns.map(({ tokensRatio }) => tokensRatio > 0)).toEqual([true, true]);
    expect(tablesOf(result)[0]?.rows.map(([turn]) => turn)).toEqual(["1", "2", "median"]);
  });

  it("is void when an answer is not what was asked for", async () => {
    const failed = run("overhead", values, { fault: () => "error-chunk" });
    await expect(failed).rejects.toThrowError(expect.objectContaining({ code: "MEASUREMENT_VOID" }));
  });
});

describe("scrapes", () => {
  it("reads the pages of a gateway, a coordinator and a worker, alone and while streams decode", async () => {
    const values = { streams: 2, promptTokens: 4, every: 5, turns: 2, seconds: 0.05 };
    const { figures, tables } = await run<ScrapesFigures>("scrapes", values);
    expect(figures.pages.map(({ process }) => process)).toEqual(["gateway", "coordinator", "worker"]);
    for (const { bytes, idleMs, busyMs } of figures.pages) {
      expect(bytes).toBeGreaterThan(0);
      expect(idleMs.p50).toBeGreaterThan(0);
      expect(busyMs.p50).toBeGreaterThan(0);
    }
    expect(figures.itlP50Ratio).toBeGreaterThan(0);
    expect(tables.map(({ rows }) => rows.length)).toEqual([3, 2]);
  });
});

describe("scale", () => {
  it("runs the coordinator's scheduler on a virtual clock", async () => {
    const values = { stages: [1, 2], hopMs: 0, sequencesPerStage: 2, seconds: 1 };
    const { figures, lines } = await run<ScaleFigures>("scale", values);
    expect(figures.processes).toEqual([]);
    expect(figures.virtual.map(({ stages, sequences }) => [stages, sequences])).toEqual([
      [1, 2],
      [2, 4],
    ]);
    for (const { share } of figures.virtual) expect(share).toBeGreaterThan(0.99);
    expect(lines).toContain("virtual clock: 5 ms per step and stage, 0 ms per row, 0 ms per hop");
  }, 30_000);

  it("measures simulated workers as processes when it may start clusters", async () => {
    gateway = await FakeGateway.open();
    const context = fakeContext(gateway.url);
    const changes: unknown[] = [];
    const withCluster: BenchContext["withCluster"] = (body, change) => {
      changes.push(change);
      return context.withCluster(body);
    };
    const values = { stages: [1], processes: [2], stageMs: 5, rowMs: 0, hopMs: 0, sequencesPerStage: 2 };
    const spawning = { ...context, spawns: true, withCluster };
    const result = await scenarioOf("scale").run(spawning, { ...values, warmUp: 0, seconds: 0.1 });
    expect(changes).toEqual([{ simulate: "stage-ms=5", workers: 2 }]);
    expect((result.figures as ScaleFigures).processes).toMatchObject([{ stages: 2, sequences: 4 }]);
    expect(tablesOf(result)[1]?.heading.slice(-2)).toEqual(["STAGE ms", "HOP ms"]);
  }, 30_000);
});
