import { afterAll, describe, expect, it } from "vitest";
import { openEngine } from "../native/engine.js";
import { BREEZE } from "../testing/small-files.js";
import { ReferenceBatch } from "./reference-batch.js";
import { ReferenceModel } from "./reference-model.js";

const engine = openEngine();
const batch = ReferenceBatch.open(engine, BREEZE);
afterAll(() => batch.close());

const prompts = [12, 5, 20].map((length, row) => Array.from({ length }, (_, i) => 300 + 7 * i + row));

function greedyAlone(prompt: readonly number[], count: number): number[] {
  const model = ReferenceModel.open(engine, BREEZE, { threads: 1, nCtx: 256 });
  const tokens = [...model.generateGreedy(prompt, count)];
  model.close();
  return tokens;
}

describe("ReferenceBatch", () => {
  it.each([true, false])("gives each sequence what it gets alone (one K/V buffer for all: %s)", (kvUnified) => {
    batch.begin({ sequences: prompts.length, positions: 64, threads: 1, kvUnified });
    batch.prefill(prompts.map((prompt) => prompt.map((token) => token + 1)));
    batch.reset();
    const steps = [batch.prefill(prompts), batch.step(), batch.step(), batch.step()];
    const given = prompts.map((_, sequence) => steps.map((tokens) => tokens[sequence]));
    expect(given).toEqual(prompts.map((prompt) => greedyAlone(prompt, 4)));
  });

  it("refuses more positions than were asked for", () => {
    batch.begin({ sequences: 1, positions: 12, threads: 1, kvUnified: true });
    batch.prefill(prompts.slice(0, 1));
    expect(() => batch.step()).toThrowError(expect.objectContaining({ code: "CONTEXT_LENGTH_EXCEEDED" }));
  });

  it("refuses use after it was closed", () => {
    const closed = ReferenceBatch.open(engine, BREEZE);
    closed.close();
    expect(() => closed.begin({ sequences: 1, positions: 8, threads: 1, kvUnified: true })).toThrow(/closed/);
  });
});
