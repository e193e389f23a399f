import type { Span } from "../wire/step.js";

/** One row of sequence 1 at position 0 of which nothing is wanted, changed by `changes`. */
export function span(changes: Partial<Span>): Span {
  return {
    sequence: 1,
    position: 0,
    count: 1,
    pages: [],
    firstPage: 0,
    sample: false,
    drafts: 0,
    targets: [],
    topTargets: 0,
    pool: false,
    ...changes,
  };
}
