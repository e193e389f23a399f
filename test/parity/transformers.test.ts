import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RunningCluster } from "../cluster/start-cluster.js";

interface Case {
  readonly tokens: readonly number[];
  /** log P(tokens[i + 1] | tokens[0..i]). */
  readonly logprobs: readonly number[];
  readonly greedy: readonly number[];
  readonly greedy_margin: readonly number[];
}

interface Completion {
  readonly choices: readonly {
    readonly logprobs?: { readonly token_logprobs: readonly (number | null)[] } | null;
    readonly token_ids?: readonly number[];
  }[];
}

/** Below this lead of the best logit, rounding may choose another token. */
const TIE = 5e-3;
const TOLERANCE = { f32: 2e-3, f16: 2e-2 } as const;

const FIXTURES = fileURLToPath(new URL("../fixtures/oracle/", import.meta.url));
const CHECKPOINTS = [
  { name: "mistral-32l-swa16", workers: [1, 2, 4, 32] },
  { name: "mistral-8l-full", workers: [1, 2, 4] },
  { name: "llama-6l-mha", workers: [1, 2, 4] },
];
const CLUSTERS = CHECKPOINTS.flatMap(({ name, workers }) =>
  workers.flatMap((count) => [
    { name, workers: count, kvType: "f32" as const },
    { name, workers: count, kvType: "f16" as const },
  ]),
);

describe.each(CLUSTERS)("$name on $workers workers, $kvType pages", ({ name, workers, kvType }) => {
  const { cases } = JSON.parse(readFileSync(`${FIXTURES}${name}/reference.json`, "utf8")) as { cases: readonly Case[] };
  let cluster: RunningCluster;
  beforeAll(async () => {
    const model = `${FIXTURES}${name}/model-f32.gguf`;
    cluster = await RunningCluster.start(["--model", model, "--workers", String(workers), "--kv-type", kvType]);
  });
  afterAll(async () => {
    await cluster?.stop();
  });

  test(`scores prompts as Hugging Face transformers do, within ${TOLERANCE[kvType]}`, async () => {
    let worst = 0;
    for (const { tokens, logprobs } of cases) {
      const body = { prompt: tokens, echo: true, logprobs: 1, max_tokens: 0, temperature: 0 };
      const { choices } = await cluster.ask<Completion>("/v1/completions", body);
      const [first, ...scores] = choices[0]?.logprobs?.token_logprobs ?? [];
      expect(first).toBeNull();
      expect(scores).toHaveLength(logprobs.length);
      worst = Math.max(worst, ...logprobs.map((reference, i) => Math.abs((scores[i] ?? Number.NaN) - reference)));
    }
    process.stdout.write(
      `${name}, ${workers} workers, ${kvType}: worst log-probability is ${worst.toExponential(1)} off\n`,
    );
    expect(worst).toBeLessThan(TOLERANCE[kvType]);
  });

  if (kvType !== "f32") return; // a rounded page moves logits further than the ties that the references list
  test("continues greedily with the same tokens, up to the first tie", async () => {
    for (const { tokens, greedy, greedy_margin } of cases) {
      const body = {
        prompt: tokens,
        max_tokens: greedy.length,
        temperature: 0,
        ignore_eos: true,
        return_token_ids: true,
      };
      const { choices } = await cluster.ask<Completion>("/v1/completions", body);
      const tie = greedy_margin.findIndex((margin) => margin <= TIE);
      const compared = tie === -1 ? greedy.length : tie;
      expect(choices[0]?.token_ids).toHaveLength(greedy.length);
      expect(choices[0]?.token_ids?.slice(0, compared)).toEqual(greedy.slice(0, compared));
    }
  });
});
