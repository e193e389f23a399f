import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { synthesize } from "@rhone/model";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { readMetric } from "../../cluster/metrics.js";
import { RunningCluster } from "../../cluster/start-cluster.js";
import { type Answer, askAll, askUntilReady } from "./answers.js";
import { requestsOf } from "./requests.js";

/** Set to look for longer: requests per model, of which the suite asks 10, and on every layout. */
const LONG = process.env.RHONE_INVARIANCE_REQUESTS;
const REQUESTS = Number(LONG ?? 10);
const SEED = Number(process.env.RHONE_INVARIANCE_SEED ?? 7);
const AT_ONCE = 32;
/** Most sequences cross the window. */
const FLAGS = ["--sliding-window", "64"];
/** Pages for 440 positions: ten prompts, which together grow by 300. */
const FEW_PAGES = { RHONE_PAGE_SIZE: "4", RHONE_KV_PAGES: "110" };
/** They begin with a page each and end with 17: more than there are, so that some are evicted whatever the load is. */
const GROWING = Array.from({ length: 10 }, (_, i) => ({ prompt: [1, 300 + i], max_tokens: 100, ignore_eos: true }));
const TIMEOUT = LONG === undefined ? 120_000 : 900_000;

/** Steps of so few rows that those which decode leave a prompt now 5 rows, now 40: chunks of any size. */
const ONE = { workers: 1, threads: 2, maxRows: 41, lost: 0 };
const TWO = { workers: 2, threads: 2, maxRows: 45, lost: 1 };
const FIVE = { workers: 5, threads: 1, maxRows: 37, lost: 3 };

const MODELS = [
  { name: "Q4_0", type: "q4_0", layouts: LONG === undefined ? [FIVE, ONE] : [FIVE, TWO, ONE] },
  { name: "Q4_K with a head of Q6_K", type: "q4_k", layouts: LONG === undefined ? [TWO] : [FIVE, TWO, ONE] },
] as const;

const folder = mkdtempSync(join(tmpdir(), "rhone-invariance-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** kill -9 of the worker that hosts a stage. */
async function lose(cluster: RunningCluster, stage: number): Promise<void> {
  process.kill((await cluster.workerOf(stage)).pid, "SIGKILL");
}

describe.each(MODELS)("$name", ({ type, layouts }) => {
  const model = join(folder, `${type}.gguf`);
  const requests = requestsOf(REQUESTS, SEED);
  let alone: readonly Answer[];

  beforeAll(async () => {
    await synthesize({ preset: "tiny", layers: 6, type, seed: 3, out: model });
    const cluster = await RunningCluster.start(["--model", model, "--workers", "1", "--threads", "1", ...FLAGS]);
    const uncached = requests.map((request) => ({ ...request, cache_prompt: false }));
    alone = (await askAll(cluster, uncached, { atOnce: 1 })).answers;
    await cluster.stop();
  }, TIMEOUT);

  test.each(layouts)(
    "answers with the same bits alone and among 32, on $workers workers, $threads threads each, when one is lost",
    { timeout: TIMEOUT },
    async ({ workers, threads, maxRows, lost }) => {
      const layout = ["--workers", String(workers), "--threads", String(threads), "--max-rows", String(maxRows)];
      const cluster = await RunningCluster.start(["--model", model, ...layout, ...FLAGS], { env: FEW_PAGES });
      onTestFinished(() => cluster.stop());
      const { epoch } = await cluster.status();
      const beside: Promise<unknown>[] = GROWING.map((body) => askUntilReady(cluster, "/v1/completions", body));
      const onAnswer = (count: number): void => {
        beside.push(askUntilReady(cluster, "/v1/embeddings", { input: requests[count - 1]?.prompt }));
        if (count === Math.floor(REQUESTS / 3)) beside.push(lose(cluster, lost));
      };

      const { answers, cached } = await askAll(cluster, requests, { atOnce: AT_ONCE, onAnswer });
      await Promise.all(beside);

      expect(answers).toEqual(alone);
      expect(cached).toBeGreaterThan(0);
      const after = await cluster.status();
      expect(after.epoch).toBeGreaterThan(epoch);
      expect(await readMetric(after.operations, "rhone_preemptions_total")).toBeGreaterThan(0);
    },
  );
});
