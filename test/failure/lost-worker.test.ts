import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { readMetric } from "../cluster/metrics.js";
import { RunningCluster } from "../cluster/start-cluster.js";
import { TokenStream } from "../cluster/token-stream.js";
import { readOracle } from "../parity/oracle.js";

/** f32 weights and pages: tokens do not depend on how the work is divided among steps. */
const oracle = readOracle("mistral-8l-full");
const MAX_ROWS = 8;
const PATIENCE = { timeout: 30_000, interval: 20 };

let cluster: RunningCluster;
beforeAll(async () => {
  const flags = ["--workers", "2", "--kv-type", "f32", "--max-rows", String(MAX_ROWS)];
  cluster = await RunningCluster.start(["--model", oracle.path, ...flags]);
});
afterAll(async () => {
  await cluster?.stop();
});

const fields = { max_tokens: 120, ignore_eos: true, cache_prompt: false };
const greedy = { ...fields, temperature: 0 };
const sampled = { ...fields, temperature: 0.9, seed: 7 };
const [short = [], medium = [], long = []] = oracle.cases.map(({ tokens }) => tokens);
const SHORT_PROMPTS = [short, medium].flatMap((prompt) => [
  { ...greedy, prompt },
  { ...sampled, prompt },
]);
/** 800 tokens each: 200 steps of prefill. */
const LONG_PROMPTS = [greedy, sampled].map((each) => ({
  ...each,
  prompt: Array.from({ length: 4 }, () => long).flat(),
}));

const start = (bodies: readonly object[]): readonly TokenStream[] =>
  bodies.map((body) => new TokenStream(cluster, body));
const idsOf = (streams: readonly TokenStream[]) => Promise.all(streams.map(({ done }) => done));

const stepsReturned = async (): Promise<number> => readMetric((await cluster.status()).operations, "rhone_steps_total");

/** Runs the requests undisturbed, then again with `disturb` in the middle, and compares tokens, pages and epochs. */
async function expectUndisturbed(
  bodies: readonly object[],
  disturb: (streams: readonly TokenStream[]) => Promise<void>,
): Promise<void> {
  const undisturbed = await idsOf(start(bodies));
  const { epoch } = await cluster.status();
  const streams = start(bodies);
  await disturb(streams);
  expect(await idsOf(streams)).toEqual(undisturbed);
  const after = await cluster.status();
  expect(after.epoch).toBeGreaterThan(epoch);
  expect(after.state).toBe("ready");
  await expect
    .poll(async () => {
      const { pages, sequences } = await cluster.status();
      return { used: pages.total - pages.free - pages.cached, running: sequences.running };
    }, PATIENCE)
    .toEqual({ used: 0, running: 0 });
  expect(await readMetric(after.operations, "rhone_kv_page_leaks_total")).toBe(0);
}

test("kill -9 of the last stage in prefill", { timeout: 60_000 }, async () => {
  const { pid } = await cluster.workerOf(1);
  await expectUndisturbed(LONG_PROMPTS, async (streams) => {
    const before = await stepsReturned();
    await expect.poll(stepsReturned, PATIENCE).toBeGreaterThan(before + 5);
    process.kill(pid, "SIGKILL");
    expect(streams.map(({ length }) => length)).toEqual([0, 0]);
  });
});

test("kill -9 of the first stage in decode", { timeout: 60_000 }, async () => {
  const { pid } = await cluster.workerOf(0);
  await expectUndisturbed(SHORT_PROMPTS, async (streams) => {
    await Promise.all(streams.map((stream) => stream.reaches(10)));
    process.kill(pid, "SIGKILL");
    for (const { length } of streams) expect(length).toBeLessThan(fields.max_tokens);
  });
});

test("kill -9 of the last stage between a frame that it was sent and the result", { timeout: 60_000 }, async () => {
  const { pid } = await cluster.workerOf(1);
  const { operations: upstream } = await cluster.workerOf(0);
  const forwarded = () => readMetric(upstream, "rhone_worker_steps_total");
  await expectUndisturbed(SHORT_PROMPTS, async (streams) => {
    const counted = (await forwarded()) - (await stepsReturned());
    await Promise.all(streams.map((stream) => stream.reaches(10)));
    process.kill(pid, "SIGSTOP");
    onTestFinished(() => void kill(pid)); // a stopped process outlives a failed test
    await expect.poll(async () => (await forwarded()) - (await stepsReturned()), PATIENCE).toBeGreaterThan(counted);
    process.kill(pid, "SIGKILL");
    for (const { length } of streams) expect(length).toBeLessThan(fields.max_tokens);
  });
});

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {} // it is gone, as it should be
}
