import { afterAll, beforeAll, expect, test } from "vitest";
import { RunningCluster } from "../cluster/start-cluster.js";
import { TokenStream } from "../cluster/token-stream.js";
import { readOracle } from "../parity/oracle.js";

/** f32 weights and pages: tokens do not depend on how the work is divided among steps. */
const oracle = readOracle("mistral-8l-full");
const PATIENCE = { timeout: 60_000, interval: 10 };

let cluster: RunningCluster;
beforeAll(async () => {
  const flags = ["--workers", "3", "--threads", "1", "--kv-type", "f32", "--spares", "1"];
  cluster = await RunningCluster.start(["--model", oracle.path, ...flags]);
});
afterAll(async () => {
  await cluster?.stop();
});

const fields = { max_tokens: 400, ignore_eos: true, cache_prompt: false };
const BODIES = oracle.cases.slice(0, 2).flatMap(({ tokens: prompt }) => [
  { ...fields, prompt, temperature: 0 },
  { ...fields, prompt, temperature: 0.9, seed: 7 },
]);

const start = () => BODIES.map((body) => new TokenStream(cluster, body));
const idsOf = (streams: readonly TokenStream[]) => Promise.all(streams.map(({ done }) => done));

/** Stages of the pipeline that is ready, and the stages that workers hold beside their own; 0 and 0 without one. */
async function stages() {
  const { state, workers } = await cluster.status();
  if (state !== "ready") return { served: 0, spare: 0 };
  const served = workers.filter(({ layers }) => layers !== null).length;
  return { served, spare: workers.reduce((sum, { spare }) => sum + (spare?.layers.length ?? 0), 0) };
}

test("kill -9 of each stage in turn: the others serve its layers, which it gets back", {
  timeout: 240_000,
}, async () => {
  const undisturbed = await idsOf(start());
  for (const stage of [0, 1, 2]) {
    await expect.poll(stages, PATIENCE).toEqual({ served: 3, spare: 3 });
    const { pid } = await cluster.workerOf(stage);
    const streams = start();
    await Promise.all(streams.map((stream) => stream.reaches(10)));
    process.kill(pid, "SIGKILL");
    await expect.poll(async () => (await stages()).served, PATIENCE).toBe(2);
    expect(await idsOf(streams)).toEqual(undisturbed);
  }
  await expect.poll(stages, PATIENCE).toEqual({ served: 3, spare: 3 });
});
