import { afterAll, beforeAll, expect, test } from "vitest";
import { RunningCluster } from "../cluster/start-cluster.js";

let cluster: RunningCluster;
beforeAll(async () => {
  cluster = await RunningCluster.start(["--max-sequences", "1"], { env: { RHONE_MAX_QUEUED: "2" } });
});
afterAll(async () => {
  await cluster?.stop();
});

test("a full queue refuses with 429, numbers and Retry-After; what was accepted is answered", async () => {
  const body = { prompt: "The", max_tokens: 60, ignore_eos: true };
  const answers: Response[] = [];
  const asked: Promise<void>[] = [];
  // How many are accepted depends on how fast the coordinator takes them: the two that may wait at least.
  while (!answers.some(({ ok }) => !ok)) {
    const answer = cluster.post("/v1/completions", body).then((response) => void answers.push(response));
    asked.push(answer);
    await Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 20))]);
  }
  await Promise.all(asked);
  const refused = answers.filter(({ ok }) => !ok);
  for (const response of refused) {
    expect(response.status).toBe(429);
    expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await response.json()).toMatchObject({
      code: "queue_full",
      message: expect.stringMatching(/^\d+ requests wait/),
    });
  }
  const served = answers.filter(({ ok }) => ok);
  expect(served.length).toBeGreaterThanOrEqual(2);
  for (const response of served) {
    expect(await response.json()).toMatchObject({ usage: { completion_tokens: 60 } });
  }
});
