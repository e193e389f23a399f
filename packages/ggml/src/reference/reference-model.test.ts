import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openEngine } from "../native/engine.js";
import { BREEZE } from "../testing/small-files.js";
import { Vocabulary } from "../vocabulary/vocabulary.js";
import { ReferenceModel } from "./reference-model.js";

const engine = openEngine();
let model: ReferenceModel;
beforeAll(() => {
  model = ReferenceModel.open(engine, BREEZE, { threads: 1, nCtx: 256, nBatch: 8 });
});
afterAll(() => model.close());

describe("ReferenceModel", () => {
  it("answers with the model's own knowledge", () => {
    const vocabulary = Vocabulary.open(engine, BREEZE);
    const prompt = vocabulary.tokenize("[INST] What is the capital of France? [/INST]", {
      addSpecial: true,
      parseSpecial: false,
    });
    model.reset();
    const answer = [...model.generateGreedy(prompt, 12)].map((id) => vocabulary.pieceBytes(id, { special: false }));
    expect(Buffer.concat(answer).toString("utf8")).toContain("Paris");
    vocabulary.close();
  });

  it("gives the last token's logits as the last row of all, over several batches", () => {
    const tokens = Array.from({ length: 19 }, (_, i) => 300 + i);
    model.reset();
    const all = model.decode(tokens, "all");
    model.reset();
    const last = model.decode(tokens);
    expect(all.length).toBe(19 * model.nVocab);
    expect([...all.subarray(18 * model.nVocab)]).toEqual([...last]);
    expect(last.every(Number.isFinite)).toBe(true);
  });

  it("refuses more tokens than its context holds, and use once closed", () => {
    model.reset();
    expect(() => model.decode(new Int32Array(257))).toThrowError(
      expect.objectContaining({ code: "CONTEXT_LENGTH_EXCEEDED" }),
    );
    const closed = ReferenceModel.open(engine, BREEZE, { threads: 1, nCtx: 64 });
    closed.close();
    expect(() => closed.decode([1])).toThrow(/closed/);
  });
});
