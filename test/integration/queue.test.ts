import { afterAll, beforeAll, expect, test } from "vitest";
import { readMetric } from "../cluster/metrics.js";
import { RunningCluster } from "../cluster/start-cluster.js";

const TOKENS = 100;

let cluster: RunningCluster;
beforeAll(async () => {
  cluster = await RunningCluster.start(["--workers", "1", "--threads", "1", "--max-sequences", "1"], {
    env: { RHONE_MAX_QUEUED: "2" },
  });
});
afterAll(async () => {
  await cluster?.stop();
});

test("a full queue refuses with 429, numbers and Retry-After; what was accepted is answered", async () => {
  const body = { prompt: "The", max_tokens: TOKENS, ignore_eos: true };
  const answers: Response[] = [];
  const asked: Promise<void>[] = [];
  const arrived = async () => (await readMetric(new URL(cluster.url).host, "rhone_requests_running")) + answers.length;
  // The coordinator holds four and two may wait, so a later one is refused. One by one: each counts those before it.
  while (!answers.some(({ ok }) => !ok)) {
    asked.push(cluster.post("/v1/completions", body).then((response) => void answers.push(response)));
    await expect.poll(arrived, { timeout: 10_000, interval: 1 }).toBeGreaterThanOrEqual(asked.length);
  }
  await Promise.all(asked);
  const [served, refused] = [answers.filter(({ ok }) => ok), answers.filter(({ ok }) => !ok)];
  expect(served.length).toBeGreaterThanOrEqual(2);
  for (const response of refused) {
    expect(response.status).toBe(429);
    expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await response.json()).toMatchObject({
      code: "queue_full",
      message: expect.stringMatching(/^2 choices wait .* at most 2 .*--max-queued/),
    });
  }
  for (const response of served) {
    expect(await response.json()).toMatchObject({ usage: { completion_tokens: TOKENS } });
  }
});
