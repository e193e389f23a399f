import { afterAll, expect, test } from "vitest";
import { GREEDY, runMessage, tokenBytes } from "../testing/steps.js";
import { openSynthesized } from "../testing/test-shard.js";

const { stage, close } = await openSynthesized({ layers: 2, type: "q4_0" });
afterAll(close);

const PROMPT = [1, 300, 17, 42, 99, 7];
const SAMPLING = {
  ...GREEDY,
  temperature: 0.9,
  seed: 7,
  repetitionPenalty: 1.3,
  frequencyPenalty: 0.4,
  logprobs: true,
  topLogprobs: 2,
};

async function run(message: Parameters<typeof runMessage>[1]) {
  const output = await runMessage(stage, message);
  if (output.kind !== "results") throw new Error("the stage has no head");
  return output.spans;
}

const prompt = { sequence: 1, position: 0, count: PROMPT.length, pages: [0], sample: true };
const row = (position: number) => ({ sequence: 1, position, count: 1, sample: true });

/** What 12 steps draw behind the prompt, with log-probabilities; the rows hold what the test or the stage knows. */
async function draw(carried: boolean) {
  stage.reset(() => {});
  const opens = [{ sequence: 1, sampling: SAMPLING }];
  const drawn = (await run({ opens, spans: [prompt], tokens: tokenBytes(PROMPT) }))[0]?.tokens.slice() ?? [];
  for (let step = 0; step < 12; step++) {
    const token = carried ? 0 : (drawn.at(-1)?.token ?? 0);
    const spans = [{ ...row(PROMPT.length + step), carried }];
    drawn.push(...((await run({ spans, tokens: tokenBytes([token]) }))[0]?.tokens ?? []));
  }
  return drawn;
}

test("carried rows draw what rows of known tokens draw, to the bit, with penalties and a seed", async () => {
  const known = await draw(false);
  expect(known).toHaveLength(13);
  expect(new Set(known.map(({ token }) => token)).size).toBeGreaterThan(6);
  expect(await draw(true)).toEqual(known);
});

test("a carried row behind a draw that failed fails its own sequence alone", async () => {
  stage.reset(() => {});
  const bannedUntilMin = Array.from({ length: stage.limits.vocabSize }, (_, token) => token);
  const opens = [
    { sequence: 1, sampling: { ...GREEDY, bannedUntilMin, minPosition: 6 } },
    { sequence: 2, sampling: GREEDY },
  ];
  const other = { ...prompt, sequence: 2, pages: [1] };
  const first = await run({ opens, spans: [prompt, other], tokens: tokenBytes([...PROMPT, ...PROMPT]) });
  const failed = { tokens: [], error: expect.objectContaining({ code: "GGML_FAILED" }) };
  const drew = { tokens: [expect.anything()], error: null };
  expect(first).toMatchObject([failed, drew]);
  const spans = [
    { ...row(6), carried: true },
    { ...row(6), sequence: 2, carried: true },
  ];
  expect(await run({ spans, tokens: tokenBytes([0, 0]) })).toMatchObject([failed, drew]);
});
