import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** A prompt and what Hugging Face transformers say of it; see the fixtures' README. */
export interface OracleCase {
  readonly tokens: readonly number[];
  /** log P(tokens[i + 1] | tokens[0..i]). */
  readonly logprobs: readonly number[];
  readonly greedy: readonly number[];
  readonly greedy_margin: readonly number[];
}

/** A checkpoint of random weights with reference answers. */
export interface Oracle {
  readonly name: string;
  /** Its GGUF file, all weights f32. */
  readonly path: string;
  readonly cases: readonly OracleCase[];
  /** Each case's mean hidden state after the final norm, from NumPy in f64. */
  readonly means: readonly (readonly number[])[];
}

const FOLDER = fileURLToPath(new URL("../fixtures/oracle/", import.meta.url));

export function readOracle(name: string): Oracle {
  const read = <T>(file: string): T => JSON.parse(readFileSync(`${FOLDER}${name}/${file}`, "utf8")) as T;
  const { cases } = read<{ cases: readonly OracleCase[] }>("reference.json");
  const { mean: means } = read<{ mean: readonly (readonly number[])[] }>("embeddings.json");
  return { name, path: `${FOLDER}${name}/model-f32.gguf`, cases, means };
}
