import { expect } from "vitest";
import type { RunningCluster } from "../cluster/start-cluster.js";

interface Embeddings {
  readonly data: readonly { readonly index: number; readonly embedding: readonly number[] }[];
  readonly usage: { readonly prompt_tokens: number; readonly total_tokens: number };
}

/** `vector` scaled to length 1. */
export function unit(vector: ArrayLike<number>): readonly number[] {
  const values = Array.from(vector);
  const length = Math.hypot(...values);
  return values.map((value) => value / length);
}

/** The largest difference between two components. */
const distance = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] ?? Number.NaN))), 0);

/**
 * Embeds the prompts while three sequences decode beside them. Returns the largest
 * difference between a component and the same component of the unit vectors `references`.
 */
export async function worstEmbedding(
  cluster: RunningCluster,
  prompts: readonly (readonly number[])[],
  references: readonly ArrayLike<number>[],
): Promise<number> {
  const beside = { prompt: prompts[0], max_tokens: 60, ignore_eos: true, temperature: 0 };
  const decoding = Array.from({ length: 3 }, () => cluster.ask("/v1/completions", beside));
  const embedding = cluster.ask<Embeddings>("/v1/embeddings", { input: prompts });
  const [{ data, usage }] = await Promise.all([embedding, ...decoding]);
  expect(data.map(({ index }) => index)).toEqual(prompts.map((_, index) => index));
  const tokens = prompts.reduce((sum, { length }) => sum + length, 0);
  expect(usage).toMatchObject({ prompt_tokens: tokens, total_tokens: tokens });
  return Math.max(...data.map(({ embedding }, i) => distance(embedding, references[i] ?? [])));
}
