import { expect, onTestFinished, test } from "vitest";
import { type Replica, SimulatedReplicas } from "../cluster/simulated-replicas.js";

const SEQUENCES = 16;
const TOKENS = 100;
/** Steps of 50 ms: 16 sequences of one replica get 320 tokens/s, which leaves the processor idle. */
const SIMULATE = "stage-ms=50";
const PATIENCE = { timeout: 20_000, interval: 20 };

async function start(): Promise<SimulatedReplicas> {
  const replicas = await SimulatedReplicas.start({ simulate: SIMULATE, sequences: SEQUENCES });
  onTestFinished(() => replicas.stop());
  return replicas;
}

let prompts = 0;
const ask = ({ cluster }: SimulatedReplicas, tokens = TOKENS): Promise<unknown> => {
  const prompt = Array.from({ length: 16 }, (_, index) => 300 + ((prompts * 7919 + index * 31) % 700));
  prompts++;
  return cluster.ask("/v1/completions", { prompt, max_tokens: tokens, temperature: 0, ignore_eos: true });
};

/** Tokens per second of this many requests that come at once, until the last has ended. */
async function speed(replicas: SimulatedReplicas, requests: number): Promise<number> {
  const began = performance.now();
  await Promise.all(Array.from({ length: requests }, () => ask(replicas)));
  return (1000 * requests * TOKENS) / (performance.now() - began);
}

test("two replicas are nearly twice as fast as one, and eight eight times", { timeout: 240_000 }, async () => {
  const replicas = await start();
  const one = await speed(replicas, SEQUENCES);
  await replicas.addUpTo(2);
  const two = await speed(replicas, 2 * SEQUENCES);
  await replicas.addUpTo(8);
  const eight = await speed(replicas, 8 * SEQUENCES);
  console.info({ one, two: two / one, eight: eight / one });
  expect(two / one).toBeGreaterThanOrEqual(1.9);
  expect(eight / one).toBeGreaterThanOrEqual(7.5);
});

test("a replica that joins under load takes work within 5 s", { timeout: 120_000 }, async () => {
  const replicas = await start();
  const asked = Promise.all(Array.from({ length: 3 * SEQUENCES }, () => ask(replicas, 400)));
  const [first] = replicas.replicas as [Replica];
  await expect.poll(async () => (await first.status()).sequences.running, PATIENCE).toBe(SEQUENCES);
  const began = performance.now();
  const second = await replicas.add();
  const ready = performance.now();
  await expect.poll(async () => (await second.status()).sequences.running, PATIENCE).toBeGreaterThan(0);
  console.info({ started: ready - began, took: performance.now() - ready });
  expect(performance.now() - began).toBeLessThan(5000);
  await asked;
});
