import { afterAll, expect, it } from "vitest";
import { GREEDY, runMessage, tokenBytes } from "../testing/steps.js";
import { openSynthesized } from "../testing/test-shard.js";

/** The head is Q6_K, for which rows are scaled by f32: a last bit of the norm shows in every logit. */
const { stage, backend, close } = await openSynthesized({ layers: 1, type: "q4_k" });
afterAll(close);

const PROMPT = [1, 300, 17, 42, 99, 7];

/** Scores the prompt, beside a sequence whose states are pooled if `pool`. */
async function scores(pool: boolean) {
  stage.reset(() => {});
  const targets = PROMPT.slice(1);
  const scored = { sequence: 1, position: 0, count: PROMPT.length, pages: [0], targets, topTargets: 3, sample: true };
  const pooled = { sequence: 2, position: 0, count: PROMPT.length, pages: [1], pool: true };
  const output = await runMessage(stage, {
    opens: [1, 2].map((sequence) => ({ sequence, sampling: { ...GREEDY, logprobs: true, topLogprobs: 3 } })),
    spans: pool ? [scored, pooled] : [scored],
    tokens: tokenBytes(pool ? [...PROMPT, ...PROMPT] : PROMPT),
  });
  if (output.kind !== "results") throw new Error("the stage has no head");
  return { scores: output.spans[0]?.scores, tokens: output.spans[0]?.tokens };
}

it.skipIf(backend.kernels === undefined)(
  "A sequence is scored with the same bits beside one that is pooled",
  async () => {
    expect(await scores(true)).toEqual(await scores(false));
  },
);
