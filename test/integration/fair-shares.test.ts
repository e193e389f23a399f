import { afterAll, beforeAll, expect, test } from "vitest";
import { readMetric } from "../cluster/metrics.js";
import { RunningCluster } from "../cluster/start-cluster.js";

const PATIENCE_MS = 10_000;

let cluster: RunningCluster;
beforeAll(async () => {
  const flags = ["--workers", "1", "--auth", "keys", "--simulate", "stage-ms=10", "--max-sequences", "8"];
  cluster = await RunningCluster.start(flags);
});
afterAll(async () => {
  await cluster?.stop();
});

function ask(secret: string, request: object, signal: AbortSignal): Promise<Response> {
  return fetch(`${cluster.url}/v1/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
    body: JSON.stringify({ ignore_eos: true, ...request }),
    signal,
  });
}

/** Texts that the coordinator runs or holds to be run next: 8 and 24 at most. */
const held = async () => readMetric((await cluster.status()).operations, "rhone_sequences");

test("a key with 8 tokens to generate does not wait for another's 512 long texts", { timeout: 90_000 }, async () => {
  const [heavy, light] = [await cluster.createKey("heavy"), await cluster.createKey("light")];
  const flood = new AbortController();
  const prompts = Array.from({ length: 512 }, (_, index) => `Text ${index}`);
  const flooded = ask(heavy, { prompt: prompts, max_tokens: 1000 }, flood.signal).catch(() => {});
  await expect.poll(held, { timeout: PATIENCE_MS }).toBe(32);

  const answer = await ask(light, { prompt: "The", max_tokens: 8 }, AbortSignal.timeout(PATIENCE_MS));
  expect(await answer.json()).toMatchObject({ usage: { completion_tokens: 8 } });
  flood.abort();
  await flooded;
});
