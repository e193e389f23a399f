import type { TokenLogprob } from "@rhone/common";
import type { MicroBatch, PlannedSpan } from "../scheduler/micro-batch.js";
import type { Sequence } from "../scheduler/sequence.js";

/** The span of a sequence's whole prompt; by default it draws a token. */
export function fakeSpan(sequence: Sequence, overrides: Partial<PlannedSpan> = {}): PlannedSpan {
  return {
    sequence,
    wireId: 1,
    position: 0,
    count: sequence.length,
    pages: [],
    firstPage: 0,
    sample: true,
    drafts: [],
    scored: 0,
    carried: false,
    ...overrides,
  };
}

export function fakeBatch(spans: readonly PlannedSpan[], overrides: Partial<MicroBatch> = {}): MicroBatch {
  const rows = spans.reduce((sum, { count }) => sum + count, 0);
  return { copies: [], opens: [], spans, closes: [], rows, decodeRows: 0, group: null, ...overrides };
}

export const fakeScore = (token: number): TokenLogprob => ({ token, logprob: -token, top: [] });
