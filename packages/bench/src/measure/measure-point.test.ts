import { afterEach, expect, test } from "vitest";
import { RandomPrompts } from "../load/prompts.js";
import { FakeGateway } from "../testing/fake-gateway.js";
import { BenchTarget } from "./bench-target.js";
import { measurePoint } from "./measure-point.js";

let gateway: FakeGateway;
let target: BenchTarget;
afterEach(async () => {
  target.close();
  await gateway.close();
});

async function measure(concurrency: number, maxTokens: number) {
  gateway = await FakeGateway.open();
  target = await BenchTarget.open(gateway.url, { signal: new AbortController().signal, roots: [process.pid] });
  const prompts = new RandomPrompts({ vocabSize: 512, seed: 1 });
  return measurePoint(target, { concurrency, promptTokens: 16, maxTokens, cache: false, prompts });
}

test("a point has rates, latencies and the bench's own share of the machine", async () => {
  const point = await measure(4, 64);
  expect(point.concurrency).toBe(4);
  const { p50, p95, p99 } = point.ttftMs;
  expect([p50, p95, p99]).toEqual([p50, p95, p99].toSorted((a, b) => a - b));
  expect(point.prefillTokensPerSecond).toBeGreaterThan(0);
  expect(point.steadyTokens).toBeLessThanOrEqual(4 * 63);
  expect(point.decodeTokensPerSecond).toBeGreaterThan(0);
  expect(point.benchCores).toBeGreaterThanOrEqual(0);
  expect(point.inside).not.toBeNull();
});

test("streams of one token never decode at the same time", async () => {
  await expect(measure(2, 1)).rejects.toMatchObject({
    code: "MEASUREMENT_VOID",
    message: expect.stringContaining("The first of 2 streams ended before all of them were decoding"),
  });
});
