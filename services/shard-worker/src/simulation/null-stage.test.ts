import { simulatedToken, simulatedTokens } from "@rhone/common";
import { GgmlType } from "@rhone/ggml";
import { rhone } from "@rhone/proto";
import { describe, expect, it } from "vitest";
import { GREEDY, runMessage, tokenBytes } from "../testing/steps.js";
import type { SequenceReady } from "../wire/step.js";
import { NullStage } from "./null-stage.js";

const VOCABULARY = 1024;
const { ACTIVATION_F16 } = rhone.v1.ActivationType;

const stage = (embeds: boolean, heads: boolean): NullStage => {
  const rowBytes = (type: GgmlType): number => (type === GgmlType.F16 ? 8 : 16);
  const limits = { embeds, vocabSize: VOCABULARY, pages: 8, pageSize: 32, slidingWindow: 0, maxRows: 16, rowBytes };
  return new NullStage({ limits, heads, stageMs: 0, rowUs: 0 });
};

const prompt = { sequence: 1, position: 0, count: 3, pages: [0], sample: true };
const decode = { sequence: 2, position: 9, count: 1, pages: [1], sample: true };
const opens = [1, 2].map((sequence) => ({ sequence, sampling: GREEDY }));
const step = { opens, spans: [prompt, decode], tokens: tokenBytes([5, 6, 7, 300]) };

describe("NullStage", () => {
  it.each([
    [GgmlType.F16, 32],
    [GgmlType.F32, 64],
  ])("sends as many activation bytes on as the model's rows have: type %s, %s bytes", async (type, bytes) => {
    const output = await runMessage(stage(true, false), step, type);
    expect(output).toEqual({ kind: "hidden", hidden: { type, bytes: new Uint8Array(bytes) } });
  });

  it("draws the rule's token after the last row of each span", async () => {
    const message = { ...step, hidden: new Uint8Array(32), hiddenType: ACTIVATION_F16 };
    const drawn = (token: number) => ({ token, logprob: null, top: [] });
    expect(await runMessage(stage(false, true), message)).toEqual({
      kind: "results",
      spans: [
        { sequence: 1, scores: [], tokens: [drawn(simulatedToken(7, 2, VOCABULARY))], pooled: null, error: null },
        { sequence: 2, scores: [], tokens: [drawn(simulatedToken(300, 9, VOCABULARY))], pooled: null, error: null },
      ],
    });
  });

  it("takes a carried row's token from what the sequence drew, until it closes", async () => {
    const only = stage(true, true);
    await runMessage(only, step);
    const carried = { ...decode, position: 10, pages: [], carried: true };
    const output = await runMessage(only, { spans: [carried], tokens: tokenBytes([0]), closes: [1] });
    const token = simulatedToken(simulatedToken(300, 9, VOCABULARY), 10, VOCABULARY);
    expect(output).toMatchObject({ spans: [{ tokens: [{ token }] }] });
    expect([only.drawn(1), only.drawn(2)?.position]).toEqual([null, 11]);
    only.reset(() => {});
    expect(only.drawn(2)).toBeNull();
  });

  it("pools a span as if each hidden state were all ones", async () => {
    const spans = [{ ...prompt, sample: false, pool: true }, decode];
    const output = await runMessage(stage(true, true), { ...step, spans });
    const pooled = output.kind === "results" ? output.spans.map((span) => span.pooled) : [];
    expect(pooled).toEqual([Float32Array.of(3, 3, 3, 3), null]);
  });

  it("draws on for as long as the drafts are right", async () => {
    const [first = 0, second = 0] = simulatedTokens([7], 2, VOCABULARY);
    const draw = async (drafts: readonly number[]) => {
      const spans = [{ ...prompt, drafts: 2 }];
      const output = await runMessage(stage(true, true), { opens, spans, tokens: tokenBytes([7, ...drafts]) });
      return output.kind === "results" ? output.spans[0]?.tokens.map(({ token }) => token) : null;
    };
    expect(await draw([first, second])).toEqual(simulatedTokens([7], 3, VOCABULARY));
    expect(await draw([first, 5])).toEqual([first, second]);
    expect(await draw([5, second])).toEqual([first]);
  });

  it("scores prompts: certain of the rule's tokens, and of no other", async () => {
    const spans = [{ ...prompt, targets: [simulatedToken(5, 0, VOCABULARY), 6] }, decode];
    const output = await runMessage(stage(true, true), { ...step, spans, tokens: tokenBytes([5, 9, 7, 300]) });
    expect(output).toMatchObject({ spans: [{ scores: [{ logprob: 0 }, { token: 6, logprob: -100 }] }, {}] });
  });

  it("has every grammar ready at once", async () => {
    const constraint = { grammar: "root ::= [a]", lastPosition: 9 };
    const ready: SequenceReady[] = [];
    const last = stage(true, true);
    last.reset((one) => ready.push(one));
    await runMessage(last, {
      opens: [
        { sequence: 1, sampling: GREEDY, constraint },
        { sequence: 2, sampling: GREEDY },
      ],
    });
    expect(ready).toEqual([{ sequence: 1, error: null }]);
  });

  it("keeps page tables as a real stage does, and forgets sequences that are closed", async () => {
    const first = stage(true, true);
    await runMessage(first, { ...step, closes: [2] });
    expect([1, 2].map((sequence) => first.pageCount(sequence))).toEqual([1, undefined]);
    await runMessage(first, { spans: [{ ...prompt, position: 32, pages: [4, 5] }], tokens: tokenBytes([1, 2, 3]) });
    expect(first.pageCount(1)).toBe(3);
    first.reset(() => {});
    expect(first.pageCount(1)).toBeUndefined();
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
