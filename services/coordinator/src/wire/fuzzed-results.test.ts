import { rhone } from "@rhone/proto";
import fc from "fast-check";
import { expect, it } from "vitest";
import { damaged, fuzzedResult } from "../../../../packages/common/src/testing/fuzzed-messages.js";
import { fakeBatch, fakeSpan } from "../testing/fake-span.js";
import { fakeSequence } from "../testing/scheduling.js";
import { decodeResult } from "./decode-result.js";

const RESULTS = Number(process.env.RHONE_FUZZ_MESSAGES ?? 2000);
const VOCABULARY = 30;
/** Of the right shape, with a token that may be none of the vocabulary: few of the others are taken. */
const shaped = fc.nat(2 * VOCABULARY).map((token) => ({ spans: [{ sequence: 1, tokens: [{ token, logprob: -1 }] }] }));
const encoded = fc
  .oneof({ weight: 9, arbitrary: fuzzedResult }, { weight: 1, arbitrary: shaped })
  .map((it) => rhone.v1.StepResult.encode(it as rhone.v1.StepResult.$Properties).finish());

it(`of ${RESULTS} fuzzed results each ends the epoch by name, or has tokens of the vocabulary`, () => {
  const batch = fakeBatch([fakeSpan(fakeSequence(), { wireId: 1 })]);
  const count = { refused: 0, taken: 0 };
  fc.assert(
    fc.property(damaged(encoded), (bytes) => {
      const result = decoded(bytes);
      if (result === null) return;
      try {
        const [answer] = decodeResult(batch, result, VOCABULARY);
        const tokens = answer?.tokens.flatMap(({ token, top }) => [token, ...top.map(([other]) => other)]) ?? [];
        expect(tokens.every((token) => token >= 0 && token < VOCABULARY)).toBe(true);
        count.taken++;
      } catch (error) {
        if ((error as { code?: string }).code !== "STAGE_FAILED") throw error;
        count.refused++;
      }
    }),
    { numRuns: RESULTS },
  );
  expect(count.refused).toBeGreaterThan(RESULTS / 4);
  expect(count.taken).toBeGreaterThan(RESULTS / 100);
});

function decoded(bytes: Buffer): rhone.v1.StepResult.$Properties | null {
  try {
    return rhone.v1.StepResult.decode(bytes);
  } catch {
    return null;
  }
}
