import { type GgmlType, GgmlType as Types } from "@rhone/ggml";
import { rhone } from "@rhone/proto";
import fc from "fast-check";
import { expect, it } from "vitest";
import { damaged, fuzzedStep } from "../../../../packages/common/src/testing/fuzzed-messages.js";
import { readStep, type StepContext } from "./read-step.js";

const STEPS = Number(process.env.RHONE_FUZZ_MESSAGES ?? 2000);
const limits = { vocabSize: 30, pages: 8, pageSize: 4, slidingWindow: 0, maxRows: 16 };
const rowBytes = (type: GgmlType): number => (type === Types.F32 ? 4 : 2);

/** Sequences 1 and 2 are open. */
const stage = (embeds: boolean): StepContext => ({
  limits: { ...limits, embeds, rowBytes },
  pageCount: (sequence) => [undefined, 2, 1][sequence],
  mayDraw: (sequence) => sequence === 1,
  drawn: (sequence) => (sequence === 1 ? { token: 7, position: 6 } : null),
});

const encoded = fuzzedStep.map((step) => rhone.v1.Step.encode(step as rhone.v1.Step.$Properties).finish());

it(`of ${STEPS} fuzzed steps each is refused by name, or has nothing that the shard lacks`, () => {
  const count = { refused: 0, taken: 0, unreadable: 0 };
  fc.assert(
    fc.property(damaged(encoded), fc.boolean(), (bytes, embeds) => {
      const message = decoded(bytes);
      if (message === null) {
        count.unreadable++;
        return;
      }
      try {
        const step = readStep(message, stage(embeds));
        count.taken++;
        expect(step.rows).toBeLessThanOrEqual(limits.maxRows);
        expect(step.tokens.every((token) => token >= 0 && token < limits.vocabSize)).toBe(true);
        const pages = [
          ...step.spans.flatMap((span) => span.pages),
          ...step.copies.flatMap(({ from, to }) => [from, to]),
        ];
        expect(pages.every((page) => page < limits.pages)).toBe(true);
      } catch (error) {
        if ((error as { code?: string }).code !== "MESSAGE_MALFORMED") throw error;
        count.refused++;
      }
    }),
    { numRuns: STEPS },
  );
  expect(count.refused).toBeGreaterThan(STEPS / 4);
  expect(count.taken).toBeGreaterThan(0);
});

/** As gRPC does: bytes that are no message end the call. */
function decoded(bytes: Buffer): rhone.v1.Step.$Properties | null {
  try {
    return rhone.v1.Step.decode(bytes);
  } catch {
    return null;
  }
}
