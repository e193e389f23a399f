import { simulatedToken, simulatedTokens } from "@rhone/common";
import { rhone } from "@rhone/proto";
import { describe, expect, it } from "vitest";
import { NullStage } from "./null-stage.js";

const VOCABULARY = 1024;
const { ACTIVATION_F16, ACTIVATION_F32 } = rhone.v1.ActivationType;
const rowBytes = (type: rhone.v1.ActivationType): number => (type === ACTIVATION_F16 ? 8 : 16);
const bytesOf = (tokens: readonly number[]): Uint8Array => new Uint8Array(Int32Array.from(tokens).buffer);
const stage = (embeds: boolean, heads: boolean) =>
  new NullStage({ vocabSize: VOCABULARY, embeds, heads, stageMs: 0, rowBytes });

const prompt = { sequence: 1, position: 0, count: 3, sample: true };
const decode = { sequence: 2, position: 9, count: 1, sample: true };
const step = { opens: [{ sequence: 1 }, { sequence: 2 }], spans: [prompt, decode], tokens: bytesOf([5, 6, 7, 300]) };

describe("NullStage", () => {
  it("hands on as many activation bytes as the model's rows have", async () => {
    expect(await stage(true, false).run(step, ACTIVATION_F16)).toEqual({ kind: "hidden", bytes: new Uint8Array(32) });
    expect(await stage(true, false).run(step, ACTIVATION_F32)).toEqual({ kind: "hidden", bytes: new Uint8Array(64) });
  });

  it("draws the rule's token after the last row of each span", async () => {
    const hidden = new Uint8Array(32);
    const output = await stage(false, true).run({ ...step, hidden, hiddenType: ACTIVATION_F16 }, ACTIVATION_F16);
    expect(output).toEqual({
      kind: "results",
      spans: [
        { sequence: 1, scores: [], tokens: [{ token: simulatedToken(7, 2, VOCABULARY) }] },
        { sequence: 2, scores: [], tokens: [{ token: simulatedToken(300, 9, VOCABULARY) }] },
      ],
    });
  });

  it("pools a span as if each hidden state were all ones", async () => {
    const spans = [{ ...prompt, sample: false, pool: true }, decode];
    const output = await stage(true, true).run({ ...step, spans }, ACTIVATION_F16);
    const pooled = output.kind === "results" ? output.spans.map((span) => span.pooled) : [];
    expect(pooled).toEqual([new Uint8Array(Float32Array.of(3, 3, 3, 3).buffer), undefined]);
  });

  it("draws on as long as guesses are right", async () => {
    const [first = 0, second = 0] = simulatedTokens([7], 2, VOCABULARY);
    const draw = async (guesses: readonly number[]) => {
      const span = { sequence: 1, position: 0, count: 3, sample: true, drafts: 2 };
      const output = await stage(true, true).run({ ...step, spans: [span], tokens: bytesOf([7, ...guesses]) }, 0);
      return output.kind === "results" ? output.spans[0]?.tokens?.map(({ token }) => token) : null;
    };
    expect(await draw([first, second])).toEqual(simulatedTokens([7], 3, VOCABULARY));
    expect(await draw([first, 5])).toEqual([first, second]);
    expect(await draw([5, second])).toEqual([first]);
  });

  it("scores prompts: certain of the rule's tokens, and of no other", async () => {
    const targets = [simulatedToken(5, 0, VOCABULARY), 6];
    const output = await stage(true, true).run(
      { ...step, spans: [{ ...prompt, targets }], tokens: bytesOf([5, 9, 7]) },
      0,
    );
    expect(output).toMatchObject({ spans: [{ scores: [{ logprob: 0 }, { token: 6, logprob: -100 }] }] });
  });

  it.each([
    ["of a sequence that was never opened", { ...step, opens: [] }, /Sequence 1 was not opened/],
    ["that lack activations", step, /brought 4 tokens and 0 bytes of activations instead of 64/],
    ["that lack tokens", { ...step, tokens: bytesOf([1]), hidden: new Uint8Array(64) }, /rows brought 1 tokens/],
  ])("refuses frames %s", async (_, frame, why) => {
    await expect(stage(false, true).run(frame, ACTIVATION_F32)).rejects.toThrow(why);
  });

  it("forgets sequences that are closed", async () => {
    const first = stage(true, true);
    await first.run({ ...step, closes: [1] }, 0);
    await expect(first.run({ ...step, opens: [] }, 0)).rejects.toThrow(/Sequence 1 was not opened/);
  });
});

describe("simulatedTokens", () => {
  it("is what a last stage draws step by step, of the vocabulary's words alone", () => {
    const tokens = simulatedTokens([1, 2, 3], 200, VOCABULARY);
    expect(tokens[0]).toBe(simulatedToken(3, 2, VOCABULARY));
    expect(tokens[1]).toBe(simulatedToken(tokens[0] ?? 0, 3, VOCABULARY));
    expect(Math.min(...tokens)).toBeGreaterThanOrEqual(259);
    expect(Math.max(...tokens)).toBeLessThan(VOCABULARY);
    expect(new Set(tokens).size).toBeGreaterThan(100);
  });

  it("stays within a small vocabulary", () => {
    expect(simulatedTokens([1], 3, 100)).toEqual([99, 99, 99]);
  });
});
