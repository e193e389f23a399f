import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RunningCluster } from "../cluster/start-cluster.js";
import { unit, worstEmbedding } from "./embeddings.js";
import { allAtOnce, idsOf, oneByOne, promptsOf } from "./equal-tokens.js";
import { readOracle } from "./oracle.js";
import { expectGreedy, worstScore } from "./scores.js";

/** How a checkpoint is served. */
interface Layout {
  readonly workers: number;
  readonly flags?: readonly string[];
  readonly kvType?: "f16";
}

/** One thread: two would spin for each other at barriers while the processes beside them need a core. */
const ONE = { workers: 1, flags: ["--threads", "1"] };
const TWO = { workers: 2 };
/** 32 and 8 layers, which three workers can't share equally, prompts in chunks of 7 rows, steps that guess ahead. */
const NARROW = { workers: 3, flags: ["--max-rows", "7", "--speculate", "6"] };
/** Pages and activations are rounded. stage.test.ts does so on 31 hops. */
const ROUNDED = { workers: 3, kvType: "f16", flags: ["--activation-type", "f16"] } as const;

/** Against transformers in f32: differences of log-probabilities. */
const SCORE_TOLERANCE = { f32: 2e-3, f16: 2e-2 };
/**
 * Against NumPy in f64: differences between components of unit vectors. Only f32's own rounding is left, 6e-8 in each
 * of about a thousand operations. For comparison: without its window, components of the first checkpoint move by 0.08.
 */
const EMBEDDING_TOLERANCE = 2e-5;

const GREEDY = { sampling: "greedy", temperature: 0 };
const SAMPLED = { sampling: "sampled", temperature: 0.9, top_k: 20, seed: 7 };
/** Random weights hardly repeat themselves: with two tokens left to draw from, many guesses are right. */
const TWO_TOKENS = { sampling: "two tokens", temperature: 0.9, seed: 7, logit_bias: { 5: 100, 6: 100 } };

interface Checkpoint {
  readonly name: string;
  readonly layouts: readonly Layout[];
  readonly samplings: readonly { readonly sampling: string; readonly temperature: number }[];
}

const CHECKPOINTS: readonly Checkpoint[] = [
  { name: "mistral-32l-swa16", layouts: [ONE, TWO, NARROW], samplings: [GREEDY, TWO_TOKENS] },
  { name: "mistral-8l-full", layouts: [TWO, NARROW, ROUNDED], samplings: [SAMPLED] },
  { name: "llama-6l-mha", layouts: [NARROW], samplings: [] },
];

describe.each(CHECKPOINTS)("$name", ({ name, layouts, samplings }) => {
  const oracle = readOracle(name);
  const clusters = new Map<Layout, RunningCluster>();
  const clusterOf = (layout: Layout): RunningCluster => {
    const cluster = clusters.get(layout);
    if (cluster === undefined) throw new Error("the cluster did not start");
    return cluster;
  };

  beforeAll(async () => {
    for (const layout of layouts) {
      const { workers, flags = [], kvType = "f32" } = layout;
      const own = ["--model", oracle.path, "--workers", String(workers), "--kv-type", kvType, ...flags];
      clusters.set(layout, await RunningCluster.start(own));
    }
  }, 300_000);
  afterAll(async () => {
    await Promise.all([...clusters.values()].map((cluster) => cluster.stop()));
  });

  const described = layouts.map((layout) => ({ layout, flags: [], kvType: "f32" as const, ...layout }));

  describe.each(described)("on $workers workers, $kvType pages $flags", ({ layout, kvType }) => {
    const tolerance = SCORE_TOLERANCE[kvType];
    test(`scores prompts as Hugging Face transformers do, within ${tolerance}`, async () => {
      expect(await worstScore(clusterOf(layout), oracle.cases)).toBeLessThan(tolerance);
    });

    if (kvType === "f16") return; // rounded pages move logits further than the ties that the references list
    test("continues greedily with the same tokens, up to the first tie", async () => {
      await expectGreedy(clusterOf(layout), oracle.cases);
    });

    test(`embeds prompts as NumPy does, within ${EMBEDDING_TOLERANCE}, beside sequences that decode`, async () => {
      const prompts = oracle.cases.map(({ tokens }) => tokens);
      const references = oracle.means.map(unit);
      expect(await worstEmbedding(clusterOf(layout), prompts, references)).toBeLessThan(EMBEDDING_TOLERANCE);
    });
  });

  describe.each(samplings)("gives the same tokens, $sampling", ({ sampling, ...fields }) => {
    const prompts = promptsOf(oracle);
    const uncached = { ...fields, cache_prompt: false };
    let alone: readonly (readonly number[])[];
    beforeAll(async () => {
      alone = idsOf(await oneByOne(clusterOf(TWO), prompts, uncached));
    });

    test("all at once", async () => {
      expect(idsOf(await allAtOnce(clusterOf(TWO), prompts, uncached))).toEqual(alone);
    });

    test("with prefixes from the cache", async () => {
      expect(idsOf(await oneByOne(clusterOf(TWO), prompts, fields))).toEqual(alone);
      const second = await oneByOne(clusterOf(TWO), prompts, fields);
      expect(idsOf(second)).toEqual(alone);
      // Everything but the last token of a prompt was computed before.
      expect(second.map(({ cached }) => cached)).toEqual(prompts.map(({ length }) => length - 1));
    });

    test("in chunks of at most 7 rows, with speculation", async () => {
      const cluster = clusterOf(NARROW);
      expect(idsOf(await allAtOnce(cluster, prompts, fields))).toEqual(alone);
      expect(idsOf(await oneByOne(cluster, prompts, fields))).toEqual(alone);
      const { drafted, accepted } = (await cluster.status()).tokens;
      if (sampling === "two tokens") expect(accepted / drafted).toBeGreaterThan(0.2);
    });
  });
});
