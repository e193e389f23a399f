import { afterAll, beforeAll, expect, test } from "vitest";
import { type SecondGateway, startSecondGateway } from "../cluster/second-gateway.js";
import { RunningCluster } from "../cluster/start-cluster.js";

const PLACES = 8;
const PATIENCE_MS = 20_000;

let cluster: RunningCluster;
let second: SecondGateway;
beforeAll(async () => {
  const flags = ["--workers", "1", "--auth", "keys", "--simulate", "stage-ms=10", "--max-sequences", "2"];
  cluster = await RunningCluster.start(flags, { env: { RHONE_MAX_QUEUED: `${PLACES}` } });
  second = await startSecondGateway(cluster, ["--auth", "keys", "--max-queued", `${PLACES}`]);
});
afterAll(async () => {
  await second?.stop();
  await cluster?.stop();
});

interface Question {
  readonly url: string;
  readonly secret: string;
  readonly tokens: number;
  readonly signal: AbortSignal;
}

const ask = ({ url, secret, tokens, signal }: Question): Promise<Response> =>
  fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
    body: JSON.stringify({ prompt: "The", max_tokens: tokens, ignore_eos: true }),
    signal,
  });

test("a key's flood at two gateways fills its half of the queue, and another key gets in", async () => {
  const [heavy, light] = [await cluster.createKey("heavy"), await cluster.createKey("light")];
  const flood = new AbortController();
  const refusals: string[] = [];
  const questions = Array.from({ length: 5 * PLACES }, async (_, n) => {
    const { url } = n % 2 === 0 ? cluster : second;
    const response = await ask({ url, secret: heavy, tokens: 1500, signal: flood.signal });
    if (response.status === 429) refusals.push(((await response.json()) as { message: string }).message);
  });
  const asked = Promise.allSettled(questions);
  // The coordinator takes 8 of them, and half of the places are left to others.
  const accepted = 8 + PLACES / 2;
  await expect.poll(() => refusals.length, { timeout: PATIENCE_MS }).toBeGreaterThanOrEqual(5 * PLACES - accepted);
  for (const message of refusals)
    expect(message).toMatch(/^4 choices wait .* at most 8 .*; 4 of them are of this API key/);

  const signal = AbortSignal.timeout(PATIENCE_MS);
  const answer = await ask({ url: second.url, secret: light, tokens: 8, signal });
  expect(await answer.json()).toMatchObject({ usage: { completion_tokens: 8 } });
  flood.abort();
  await asked;
});
