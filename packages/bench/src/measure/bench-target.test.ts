import type { ClusterStatus } from "@rhone/common";
import { afterEach, describe, expect, it } from "vitest";
import { RandomPrompts } from "../load/prompts.js";
import { FakeGateway, type FakeGatewayOptions } from "../testing/fake-gateway.js";
import { BenchTarget } from "./bench-target.js";

const { signal } = new AbortController();
let gateway: FakeGateway;
let target: BenchTarget;
afterEach(async () => {
  target?.close();
  await gateway.close();
});

async function open(options: FakeGatewayOptions = {}): Promise<BenchTarget> {
  gateway = await FakeGateway.open(options);
  target = await BenchTarget.open(gateway.url, { signal });
  return target;
}

describe("BenchTarget", () => {
  it.each([
    ["without a coordinator", {}, /it has no coordinator/],
    ["that is loading", { state: "loading" }, /loading/],
    ["that has failed", { state: "failed", reason: "NOT_ENOUGH_MEMORY: 9 GB" }, /NOT_ENOUGH_MEMORY: 9 GB/],
  ] as const)("refuses a cluster %s", async (_, status, message) => {
    const coordinators = "state" in status ? [status as Partial<ClusterStatus>] : [];
    await expect(open({ coordinators })).rejects.toMatchObject({
      code: "NOT_RUNNING",
      message: expect.stringMatching(message),
    });
  });

  it("reads the counters of coordinators and workers", async () => {
    const samples = await (await open()).scrape();
    expect(samples?.coordinators.sum("rhone_steps_total")).toBe(0);
    expect(samples?.workers).toHaveLength(1);
  });

  it("measures without counters when the operations servers are out of reach", async () => {
    const { url } = await open({ operations: "127.0.0.1:1" });
    expect(url).toBe(gateway.url);
    expect(await target.scrape()).toBeNull();
  });

  it("warms up with short streams of 8 and 4 tokens, as many as are asked for", async () => {
    await (await open()).warmUp(new RandomPrompts({ vocabSize: 512, seed: 1 }), 3);
    expect(gateway.requests.map(({ prompt, max_tokens }) => [prompt.length, max_tokens])).toEqual(
      Array(3).fill([8, 4]),
    );
  });

  it("fills pages with prompts of two, 16 at a time", async () => {
    await (await open()).fillPages(new RandomPrompts({ vocabSize: 512, seed: 1 }), 40);
    const { size } = target.status.pages;
    expect(gateway.requests.map(({ prompt, max_tokens }) => [prompt.length, max_tokens])).toEqual(
      Array(32).fill([2 * size, 1]),
    );
    expect(new Set(gateway.requests.map(({ prompt }) => String(prompt))).size).toBe(32);
  });

  it("sends a single stream to the model that is served", async () => {
    await open();
    const { arrivals, cachedTokens } = await target.runOne({ prompt: [1, 2, 3], maxTokens: 5, cache: true });
    expect(arrivals).toHaveLength(5);
    expect(cachedTokens).toBe(0);
    expect(gateway.requests).toMatchObject([{ model: "tiny", prompt: [1, 2, 3], cache_prompt: true }]);
  });

  it("knows the CPU time only of a cluster whose processes are known", async () => {
    await open();
    expect(target.cpuClock).toBeNull();
    const own = await BenchTarget.open(gateway.url, { signal, roots: [process.pid] });
    expect(own.cpuClock).not.toBeNull();
    own.close();
  });
});
