import { existsSync } from "node:fs";
import { afterEach, expect, test } from "vitest";
import { FakeGateway, type FakeGatewayOptions } from "../testing/fake-gateway.js";
import { BenchTarget } from "./bench-target.js";
import { measureFlood } from "./measure-flood.js";

let gateway: FakeGateway;
let target: BenchTarget;
afterEach(async () => {
  target.close();
  await gateway.close();
});

async function measure(options: FakeGatewayOptions = {}) {
  gateway = await FakeGateway.open(options);
  target = await BenchTarget.open(gateway.url, { signal: new AbortController().signal });
  return measureFlood(target, { streams: 2, promptTokens: 4, maxTokens: 5, warmUp: 0, seconds: 0.2 });
}

test("the rate is the coordinator's count, beside the client's of finished answers", async () => {
  const figures = await measure();
  expect(figures.streams).toBe(2);
  expect(figures.seconds).toBeGreaterThanOrEqual(0.19);
  expect(figures.tokensPerSecond).toBeGreaterThanOrEqual(figures.clientTokensPerSecond * 0.5);
  expect(figures.inside?.steps).toBeGreaterThan(0);
});

test("without the coordinator's count the client's has to do", async () => {
  const figures = await measure({ operations: "127.0.0.1:1" });
  expect(figures.inside).toBeNull();
  expect(figures.tokensPerSecond).toBe(figures.clientTokensPerSecond);
  expect(figures.tokensPerChunk).toBeGreaterThan(0);
});

test.runIf(existsSync("/proc/self/stat"))("the load generator's CPU time is told per token", async () => {
  const { processes, tokensPerSecond } = await measure();
  const own = processes?.find(({ name }) => name === "load generator");
  expect(own?.microsecondsPerToken).toBeCloseTo(((own?.cores ?? 0) * 1e6) / tokensPerSecond, 3);
});

test("a failure ends it, and the streams", async () => {
  await expect(measure({ fault: () => "refusal" })).rejects.toMatchObject({ code: "MEASUREMENT_VOID" });
});
