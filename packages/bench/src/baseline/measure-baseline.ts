import type { ReferenceBatch } from "@rhone/ggml/reference";
import { RandomPrompts } from "../load/prompts.js";

/** The counts of a point, the same as for the cluster, and llama.cpp's own settings. */
export interface BaselineRequest {
  readonly sequences: number;
  readonly promptTokens: number;
  readonly maxTokens: number;
  readonly threads: number;
  readonly kvUnified: boolean;
  /** Of the random prompts. */
  readonly seed: number;
}

export interface BaselineFigures {
  readonly prefillTokensPerSecond: number;
  readonly decodeTokensPerSecond: number;
  /** One K/V buffer for all sequences, or one each. */
  readonly kvUnified: boolean;
}

const WARM_UP = { promptTokens: 8, steps: 2 } as const;

/** Prefills all sequences and decodes them in step, as the cluster does, after a short warm-up. Blocks. */
export function measureBaseline(batch: ReferenceBatch, request: BaselineRequest): BaselineFigures {
  const { sequences, promptTokens, maxTokens, threads, kvUnified } = request;
  const prompts = new RandomPrompts({ vocabSize: batch.nVocab, seed: request.seed });
  const positions = Math.max(promptTokens + maxTokens, WARM_UP.promptTokens + WARM_UP.steps);
  batch.begin({ sequences, positions, threads, kvUnified });
  batch.prefill(prompts.prompts(sequences, WARM_UP.promptTokens));
  for (let step = 0; step < WARM_UP.steps; step++) batch.step();

  batch.reset();
  const measured = prompts.prompts(sequences, promptTokens);
  const startedAt = performance.now();
  batch.prefill(measured);
  const prefilledAt = performance.now();
  for (let step = 1; step < maxTokens; step++) batch.step();
  const endedAt = performance.now();
  return {
    prefillTokensPerSecond: (sequences * promptTokens * 1000) / (prefilledAt - startedAt),
    decodeTokensPerSecond: (sequences * (maxTokens - 1) * 1000) / (endedAt - prefilledAt),
    kvUnified,
  };
}
