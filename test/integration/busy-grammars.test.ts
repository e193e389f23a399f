import { afterAll, beforeAll, expect, test } from "vitest";
import { readMetric } from "../cluster/metrics.js";
import { RunningCluster } from "../cluster/start-cluster.js";

const WAIT_MS = 500;

let cluster: RunningCluster;
const leaving = new AbortController();
beforeAll(async () => {
  const env = { RHONE_GRAMMAR_THREADS: "2", RHONE_GRAMMAR_WAIT_MS: `${WAIT_MS}` };
  cluster = await RunningCluster.start(["--workers", "2"], { env });
});
afterAll(async () => {
  leaving.abort();
  await cluster?.stop();
});

const ask = (request: object, signal: AbortSignal) =>
  fetch(`${cluster.url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ prompt: "The", max_tokens: 1500, ...request }),
    signal,
  });

/** A text of 3,200 letters, by a grammar that no other text has. */
const longText = (n: number) => ({ grammar: `root ::= "${n}" w w w w w w w w\nw ::= [a-z]{400,400}` });

test.each([false, true])(
  "a text whose grammar finds no thread in time is a 503 that says when to try again, stream: %s",
  { timeout: 120_000 },
  async (stream) => {
    const holders = new AbortController();
    const held = [1, 2].map((n) =>
      ask({ ...longText(n), stream: true }, AbortSignal.any([holders.signal, leaving.signal])),
    );
    // Headers come with the first token, when the grammar has its thread.
    for (const response of await Promise.all(held)) expect(response.status).toBe(200);
    const refused = await ask({ grammar: 'root ::= "yes" | "no"', stream }, leaving.signal);
    expect(refused.status).toBe(503);
    expect(refused.headers.get("retry-after")).toMatch(/^\d+$/);
    expect(await refused.json()).toMatchObject({
      code: "grammars_busy",
      type: "unavailable_error",
      message: expect.stringContaining(`After ${WAIT_MS} ms, 1 request is waiting for a grammar thread; try again`),
    });
    holders.abort();
    const sequences = async () => readMetric((await cluster.status()).operations, "rhone_sequences");
    await expect.poll(sequences, { timeout: 30_000 }).toBe(0);
    expect((await ask({ grammar: 'root ::= "yes" | "no"' }, leaving.signal)).status).toBe(200);
  },
);
