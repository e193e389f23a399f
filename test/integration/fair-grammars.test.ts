import { afterAll, beforeAll, expect, test } from "vitest";
import { readMetric } from "../cluster/metrics.js";
import { RunningCluster } from "../cluster/start-cluster.js";

const THREADS = 4;
/** More texts than the last stage has threads for their grammars. */
const TEXTS = 20;
const PATIENCE_MS = 30_000;

let cluster: RunningCluster;
beforeAll(async () => {
  const env = { RHONE_GRAMMAR_THREADS: `${THREADS}` };
  cluster = await RunningCluster.start(["--workers", "1", "--auth", "keys"], { env });
});
afterAll(async () => {
  await cluster?.stop();
});

async function ask(secret: string, request: object, signal: AbortSignal): Promise<string> {
  const response = await fetch(`${cluster.url}/v1/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
    body: JSON.stringify({ prompt: "The", ...request }),
    signal,
  });
  const { choices, message } = (await response.json()) as { choices?: { text: string }[]; message?: string };
  return choices?.[0]?.text ?? message ?? "";
}

/** A text of 3,200 letters, by a grammar that no other text has. */
const longText = (n: number) => ({
  grammar: `root ::= "${n}" w w w w w w w w\nw ::= [a-z]{400,400}`,
  max_tokens: 1500,
});

test("a key with one grammar at a time does not wait for another's 20", { timeout: 90_000 }, async () => {
  const [heavy, light] = [await cluster.createKey("heavy"), await cluster.createKey("light")];
  const flood = new AbortController();
  let ended = 0;
  const flooded = Array.from({ length: TEXTS }, async (_, n) => {
    await ask(heavy, longText(n), flood.signal).catch(() => {});
    ended++;
  });
  const held = async () => readMetric((await cluster.status()).operations, "rhone_sequences");
  await expect.poll(held, { timeout: PATIENCE_MS }).toBe(TEXTS);

  // While they compile their grammars in turns, the heavy key could take a thread for each of these texts.
  for (let n = 0; n < THREADS + 2; n++) {
    const request = { grammar: `root ::= "yes ${n}" | "no ${n}"`, max_tokens: 16 };
    const text = await ask(light, request, AbortSignal.timeout(PATIENCE_MS));
    expect([`yes ${n}`, `no ${n}`]).toContain(text);
  }
  expect(ended).toBe(0);
  flood.abort();
  await Promise.all(flooded);
});
