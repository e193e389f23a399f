import { afterAll, beforeAll, expect, test } from "vitest";
import { readMetric } from "../cluster/metrics.js";
import { RunningCluster } from "../cluster/start-cluster.js";

const WAIT_MS = 500;

let cluster: RunningCluster;
const leaving = new AbortController();
beforeAll(async () => {
  const env = {
    RHONE_GRAMMAR_THREADS: "2",
    RHONE_GRAMMAR_WAIT_MS: `${WAIT_MS}`,
    // A mask that is late on a busy machine would end a text and free its thread.
    RHONE_GRAMMAR_MASK_MS: "10000",
  };
  cluster = await RunningCluster.start(["--workers", "1", "--threads", "1"], { env });
  // From here on the gateway has checked the grammar, and knows it.
  expect((await ask(SHORT, leaving.signal)).status).toBe(200);
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

const SHORT = { grammar: 'root ::= "yes" | "no"' };

/** 16 texts of 3,200 letters, by a grammar that no other text has: they last far longer than a short one waits. */
const longTexts = (n: number) => ({ grammar: `root ::= "${n}" w w w w w w w w\nw ::= [a-z]{400,400}`, n: 16 });

test.each([false, true])(
  "a text whose grammar finds no thread in time is a 503 that says when to try again, stream: %s",
  { timeout: 120_000 },
  async (stream) => {
    const holders = new AbortController();
    // One after another: a grammar that waits for another's compilation waits for its thread. Headers come with the
    // first token, when the grammar has it.
    for (const n of [1, 2]) {
      const signal = AbortSignal.any([holders.signal, leaving.signal]);
      const held = await ask({ ...longTexts(n), stream: true }, signal);
      expect(held.status).toBe(200);
      // fetch closes the connection of a body that nobody reads any more, as soon as it is collected as garbage.
      held.text().catch(() => {});
    }
    const refused = await ask({ ...SHORT, stream }, leaving.signal);
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
    // The last stage frees the threads with its next step.
    await expect.poll(async () => (await ask(SHORT, leaving.signal)).status, { timeout: 30_000 }).toBe(200);
  },
);
