import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { openEngine } from "@rhone/ggml";
import { ReferenceModel } from "@rhone/ggml/reference";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RunningCluster } from "../cluster/start-cluster.js";

interface Embeddings {
  readonly data: readonly { readonly index: number; readonly embedding: readonly number[] }[];
  readonly usage: { readonly prompt_tokens: number; readonly total_tokens: number };
}

const FIXTURES = fileURLToPath(new URL("../fixtures/oracle/", import.meta.url));
const BREEZE = fileURLToPath(new URL("../../models/breeze-q8_0.gguf", import.meta.url));

/** What a model's prompts must be embedded as, and how closely. */
interface Case {
  readonly name: string;
  readonly path: string;
  readonly kvType: "f32" | "f16";
  /**
   * How far a component of a unit vector may lie from the reference's. With f32 weights and pages, against f64, only f32's own
   * rounding is left: 6e-8 in each of some thousand operations. Breeze's Q8_0 products round activations to 8 bits, 1/254 of the
   * greatest of 32, in another order for each size of step. For comparison: without its window components move by 0.08.
   */
  readonly tolerance: number;
  readonly expected: (prompts: readonly (readonly number[])[]) => readonly ArrayLike<number>[];
}

const readFixture = <T>(name: string): T => JSON.parse(readFileSync(`${FIXTURES}${name}`, "utf8")) as T;

/** Against NumPy in f64, by the definition: see the fixtures' make_embeddings.py. */
const oracleCase = (name: string): Case => ({
  name,
  path: `${FIXTURES}${name}/model-f32.gguf`,
  kvType: "f32",
  tolerance: 2e-5,
  expected: () => readFixture<{ mean: readonly (readonly number[])[] }>(`${name}/embeddings.json`).mean.map(unit),
});

/** Against llama.cpp's own mean pooling. */
const breeze: Case = {
  name: "breeze",
  path: BREEZE,
  kvType: "f16",
  tolerance: 1e-2,
  expected: (prompts) => {
    const reference = ReferenceModel.open(openEngine({}), BREEZE, { threads: 1, nCtx: 256, embeds: true });
    const vectors = prompts.map((prompt) => unit(reference.embed(prompt)));
    reference.close();
    return vectors;
  },
};

const CASES = [oracleCase("mistral-32l-swa16"), oracleCase("mistral-8l-full"), oracleCase("llama-6l-mha"), breeze];

const LAYOUTS = [
  { workers: 1, maxRows: 512 },
  { workers: 2, maxRows: 7 },
  { workers: 5, maxRows: 64 },
];

/** A model's own prompts; Breeze gets those of a smaller vocabulary that fit its window of 64, which llama.cpp ignores. */
function promptsOf(name: string): readonly (readonly number[])[] {
  const isBreeze = name === "breeze";
  const file = `${isBreeze ? "mistral-8l-full" : name}/reference.json`;
  const { cases } = readFixture<{ cases: readonly { readonly tokens: readonly number[] }[] }>(file);
  return cases.map(({ tokens }) => tokens).filter(({ length }) => !isBreeze || length <= 64);
}

function unit(vector: ArrayLike<number>): readonly number[] {
  const values = Array.from(vector);
  const length = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  return values.map((value) => value / length);
}

const distance = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] ?? Number.NaN))), 0);

describe.each(CASES)("$name, $kvType pages: embeddings", ({ name, path, kvType, tolerance, expected }) => {
  const prompts = promptsOf(name);
  const references = expected(prompts);
  const seen: (readonly (readonly number[])[])[] = [];

  describe.each(LAYOUTS)("on $workers workers, at most $maxRows rows a step", ({ workers, maxRows }) => {
    let cluster: RunningCluster;
    beforeAll(async () => {
      const layout = ["--workers", String(workers), "--max-rows", String(maxRows)];
      cluster = await RunningCluster.start(["--model", path, "--kv-type", kvType, ...layout]);
    });
    afterAll(async () => {
      await cluster?.stop();
    });

    test(`equal the reference within ${tolerance}, beside sequences that decode`, async () => {
      const [prompt = []] = prompts;
      const beside = { prompt, max_tokens: 60, ignore_eos: true, temperature: 0 };
      const decoding = Array.from({ length: 3 }, () => cluster.ask("/v1/completions", beside));
      const { data, usage } = await cluster.ask<Embeddings>("/v1/embeddings", { input: prompts });
      await Promise.all(decoding);
      const vectors = data.map(({ embedding }) => embedding);
      const worst = Math.max(...vectors.map((vector, i) => distance(vector, references[i] ?? [])));
      process.stdout.write(
        `${name}, ${workers} workers, ${maxRows} rows: components are ${worst.toExponential(1)} off at most\n`,
      );
      expect(data.map(({ index }) => index)).toEqual(prompts.map((_, index) => index));
      expect(worst).toBeLessThan(tolerance);
      const tokens = prompts.reduce((sum, { length }) => sum + length, 0);
      expect(usage).toMatchObject({ prompt_tokens: tokens, total_tokens: tokens });
      seen.push(vectors);
    });
  });

  test("are the same on 1, 2 and 5 workers", () => {
    expect(seen).toHaveLength(LAYOUTS.length);
    const [first = []] = seen;
    for (const other of seen.slice(1)) {
      expect(Math.max(...other.map((vector, i) => distance(vector, first[i] ?? [])))).toBeLessThan(tolerance);
    }
  });
});
