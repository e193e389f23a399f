import { Graph } from "@rhone/ggml";
import { afterAll, describe, expect, it, vi } from "vitest";
import { GREEDY, runMessage, tokenBytes } from "../testing/steps.js";
import { openSynthesized } from "../testing/test-shard.js";

const { stage, backend, close } = await openSynthesized({ layers: 2, type: "q4_0" });
afterAll(close);

const PROMPT = [1, 300, 17, 42, 99, 7];
const sampling = { ...GREEDY, logprobs: true, topLogprobs: 3 };

/** One row of sequence 1 at `position`. */
async function decode(position: number, token: number) {
  const pages = position % 32 === 0 ? [position / 32] : [];
  const spans = [{ sequence: 1, position, count: 1, pages, sample: true }];
  const output = await runMessage(stage, { spans, tokens: tokenBytes([token]) });
  if (output.kind !== "results") throw new Error("the stage has no head");
  const [drawn] = output.spans[0]?.tokens ?? [];
  if (drawn === undefined) throw new Error("nothing was drawn");
  return drawn;
}

/** The prompt and 40 tokens of sequence 1; `between` runs before each of them. */
async function generate(between: (step: number) => Promise<void> = async () => {}) {
  stage.reset(() => {});
  await runMessage(stage, {
    opens: [1, 2].map((sequence) => ({ sequence, sampling })),
    spans: [{ sequence: 1, position: 0, count: PROMPT.length, pages: [0] }],
    tokens: tokenBytes(PROMPT),
  });
  const drawn = [await decode(PROMPT.length, 5)];
  for (let step = 1; step < 40; step++) {
    await between(step);
    drawn.push(await decode(PROMPT.length + step, drawn.at(-1)?.token ?? 0));
  }
  return drawn;
}

/** Three rows of sequence 2, which gets all its pages with its first. */
async function other(step: number): Promise<void> {
  const pages = step === 1 ? [4, 5, 6, 7] : [];
  const span = { sequence: 2, position: (step - 1) * 3, count: 3, pages };
  await runMessage(stage, { spans: [span], tokens: tokenBytes([step, 2, 3]) });
}

describe("The graph of a step", () => {
  it("gives the same bits when it is filled again as when it is described again for each step", async () => {
    expect(await generate()).toEqual(await generate(other));
  });

  it.skipIf(backend.kernels === undefined)("is kept while steps have the same shape", async () => {
    await generate();
    const reset = vi.spyOn(Graph.prototype, "reset");
    const resets = async (position: number) => {
      reset.mockClear();
      await decode(position, 3);
      return reset.mock.calls.length;
    };
    // The graph that reads logits is described for each step.
    expect([await resets(46), await resets(47)]).toEqual([1, 1]);
    await other(1);
    expect([await resets(48), await resets(49)]).toEqual([2, 1]);
    reset.mockRestore();
  });
});
