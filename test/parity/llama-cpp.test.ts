import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GgmlType, openEngine } from "@rhone/ggml";
import { ReferenceModel } from "@rhone/ggml/reference";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ChatAnswer, chat } from "../cluster/chat.js";
import { RunningCluster } from "../cluster/start-cluster.js";
import { writeDequantized } from "./dequantized-copy.js";
import { hasSmolLm2, smolLm2Path } from "./smollm2.js";

const isThere = hasSmolLm2();

const QUESTIONS = ["What is the capital of France?", "Write one sentence about the sea.", "Why is the sky blue?"];
const MAX_TOKENS = 32;
/**
 * How far our token's logit may be below llama.cpp's best: rounding then chose between the two. Q4_1 products round
 * activations to 8 bits, and that spreads: between its own f16 and bf16 caches llama.cpp's logits move by 0.3 on this
 * model. Without quantized products (every weight and page f32) only the order of additions is left.
 */
const CASES = [
  { workers: 3, weights: "f32", tie: 2e-3 },
  { workers: 1, weights: "Q4_1", tie: 0.4 },
] as const;

/**
 * For each token of `answer`, how far its logit is below llama.cpp's best after the same tokens; 0: the same one.
 * Weights of 540 MB in f32 are read once for all tokens. llama.cpp's products of Q4_1 round otherwise where many rows
 * are computed together, so it gets one row at a time then; the cluster's have the same bits in any company.
 */
function gaps(model: ReferenceModel, { promptIds, ids }: ChatAnswer, weights: "f32" | "Q4_1"): number[] {
  model.reset();
  const logits = weights === "f32" ? allAtOnce(model, promptIds, ids) : oneByOne(model, promptIds, ids);
  return ids.map((token, index) => {
    const row = logits[index] ?? new Float32Array();
    const best = row.reduce((most, logit) => Math.max(most, logit), Number.NEGATIVE_INFINITY);
    return best - (row[token] ?? Number.NEGATIVE_INFINITY);
  });
}

/** llama.cpp's logits before each token of `answer`. */
function allAtOnce(model: ReferenceModel, prompt: readonly number[], answer: readonly number[]): Float32Array[] {
  const all = model.decode([...prompt, ...answer.slice(0, -1)], "all");
  const first = prompt.length - 1;
  return answer.map((_, index) => all.subarray((first + index) * model.nVocab, (first + index + 1) * model.nVocab));
}

/** The same, by one call for each token. */
function oneByOne(model: ReferenceModel, prompt: readonly number[], answer: readonly number[]): Float32Array[] {
  return [model.decode(prompt), ...answer.slice(0, -1).map((token) => model.decode([token]))];
}

const engine = openEngine({});
const folder = mkdtempSync(join(tmpdir(), "rhone-system-"));
const dequantizedPath = join(folder, "smollm2-f32.gguf");
beforeAll(async () => {
  if (isThere) await writeDequantized(engine, smolLm2Path, dequantizedPath);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.runIf(isThere).each(CASES)(
  "SmolLM2-135M-Instruct, $weights, on $workers workers against llama.cpp",
  ({ workers, weights, tie }) => {
    let cluster: RunningCluster;
    let reference: ReferenceModel;
    let answers: readonly ChatAnswer[];
    beforeAll(async () => {
      const [path, kvType] = weights === "f32" ? [dequantizedPath, "f32"] : [smolLm2Path, "f16"];
      const flags = ["--workers", String(workers), "--kv-type", kvType, "--threads", "1"];
      cluster = await RunningCluster.start(["--model", path, ...flags]);
      // All at once, so that the weights are read once for three tokens.
      answers = await Promise.all(
        QUESTIONS.map((content) => chat(cluster, { messages: [{ role: "user", content }], max_tokens: MAX_TOKENS })),
      );
      const kv = kvType === "f32" ? GgmlType.F32 : GgmlType.F16;
      reference = ReferenceModel.open(engine, path, { threads: 1, nCtx: 512, kvType: kv });
    });
    afterAll(async () => {
      reference?.close();
      await cluster?.stop();
    });

    test.each(QUESTIONS.map((question, index) => ({ question, index })))("$question", ({ question, index }) => {
      const answer = answers[index];
      if (answer === undefined) throw new Error("it was not answered");
      expect(answer.ids.length).toBeGreaterThan(3);
      const seen = gaps(reference, answer, weights);
      const ties = seen.filter((gap) => gap > 0).map((gap) => gap.toFixed(3));
      process.stdout.write(
        `${weights}, ${workers} workers, "${question}": ${seen.length} tokens, ${ties.length} ties ${ties.join(" ")}\n`,
      );
      expect(Math.max(...seen)).toBeLessThan(tie);
    });
  },
);
