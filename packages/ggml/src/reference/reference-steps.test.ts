import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openEngine } from "../native/engine.js";
import { worstDifference } from "../testing/series.js";
import { BREEZE, temporaryFolder } from "../testing/small-files.js";
import type { LlamaContext } from "./llama-context.js";
import { ReferenceModel } from "./reference-model.js";
import { ReferenceSteps } from "./reference-steps.js";
import { WholeModel } from "./whole-model.js";

const engine = openEngine();
const folder = temporaryFolder("reference");
afterAll(() => rmSync(folder, { recursive: true }));
const prompt = (length: number, start = 300) => Array.from({ length }, (_, i) => start + i);
const rowsOf = (tokens: readonly number[], sequence = 0, position = 0) =>
  tokens.map((token, i) => ({ token, position: position + i, sequence, logits: i + 1 === tokens.length }));

describe("WholeModel.open", () => {
  it("throws MODEL_NOT_FOUND for no file, GGUF_MALFORMED with libllama's complaint for another kind", () => {
    const missing = join(folder, "none.gguf");
    expect(() => WholeModel.open(engine, missing)).toThrow(
      expect.objectContaining({ code: "MODEL_NOT_FOUND", message: `There is no file ${missing}.` }),
    );
    const text = join(folder, "text.gguf");
    writeFileSync(text, "not a model");
    expect(() => WholeModel.open(engine, text)).toThrow(
      expect.objectContaining({
        code: "GGUF_MALFORMED",
        message: expect.stringMatching(/text\.gguf can't be loaded: .+\.$/),
      }),
    );
  });

  it("makes no context once closed", () => {
    const model = WholeModel.open(engine, BREEZE);
    model.close();
    model.close();
    expect(() => model.newContext({})).toThrow("A reference model was used after it was closed.");
  });
});

describe("LlamaContext", () => {
  let model: WholeModel;
  let context: LlamaContext;
  beforeAll(() => {
    model = WholeModel.open(engine, BREEZE);
  });
  afterAll(() => model.close());
  beforeEach(() => {
    context = model.newContext({ n_ctx: 256, n_seq_max: 2, n_threads: 1, n_threads_batch: 1, kv_unified: true });
    return () => context.close();
  });
  const last = (rows: number) => context.logitsAt(rows - 1, model.nVocab).slice();

  it("gives a copied sequence the logits of the one it was copied from", () => {
    context.decode(rowsOf(prompt(9)));
    context.decode(rowsOf([77], 0, 9));
    const whole = last(1);
    context.clear({ zero: false });
    context.decode(rowsOf(prompt(9)));
    context.copy(0, 1);
    context.decode(rowsOf([77], 1, 9));
    expect(worstDifference(last(1), whole)).toBeLessThan(1e-5);
  });

  it("forgets the tokens after a truncation", () => {
    context.decode(rowsOf(prompt(6)));
    const six = last(6);
    context.decode(rowsOf(prompt(5, 400), 0, 6));
    context.truncate(0, 5);
    context.decode(rowsOf([305], 0, 5));
    expect(worstDifference(last(1), six)).toBeLessThan(1e-4);
  });

  it("says which row has no logits, and which call failed", () => {
    context.decode(rowsOf(prompt(4)));
    expect(() => context.logitsAt(1, model.nVocab)).toThrow("libllama has no logits for row 1 of the batch.");
    expect(() => context.decode(rowsOf(prompt(3), 0, 9))).toThrow(/llama_decode of 3 rows failed with status -?\d+\./);
  });
});

describe("ReferenceSteps", () => {
  it("decodes rows of several sequences in one call", () => {
    const steps = ReferenceSteps.open(engine, BREEZE, { threads: 1, positions: 256, sequences: 2 });
    steps.decode([...rowsOf(prompt(5), 0), ...rowsOf(prompt(3, 350), 1)]);
    steps.copy(0, 1);
    steps.truncate(1, 5);
    steps.decode([...rowsOf([9], 0, 5), ...rowsOf([9], 1, 5)]);
    // Positions of a sequence only grow, until it is forgotten.
    expect(() => steps.decode(rowsOf(prompt(2)))).toThrow(/llama_decode of 2 rows failed with status -?\d+\./);
    steps.clear();
    steps.decode(rowsOf(prompt(2)));
    steps.close();
  });
});

describe("ReferenceModel.embed", () => {
  it("pools the mean of the hidden states, whatever was decoded before", () => {
    const model = ReferenceModel.open(engine, BREEZE, { threads: 1, nCtx: 64, nBatch: 16, embeds: true });
    const first = model.embed(prompt(7));
    expect(first.every(Number.isFinite)).toBe(true);
    expect(Math.max(...first.map(Math.abs))).toBeGreaterThan(0);
    expect(worstDifference(model.embed(prompt(3, 500)), first)).toBeGreaterThan(1e-3);
    expect(worstDifference(model.embed(prompt(7)), first)).toBeLessThan(1e-6);
    expect(() => model.embed(prompt(17))).toThrow("17 tokens after 0 don't fit in a context of 16");
    model.close();
  });
});
