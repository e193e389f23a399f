import { RhoneError } from "@rhone/common/rhone-error";
import type { RuleBook } from "./rule-book.js";

/** Most repetitions. Each one is a state, and the engine tries the whole vocabulary once in every state. */
export const MAX_REPETITIONS = 512;

export interface Repetition {
  readonly min: number;
  /** undefined for no maximum. */
  readonly max: number | undefined;
  /** Every way to write one element, followed by `then`. */
  readonly element: (then: string) => readonly string[];
}

/**
 * `min` to `max` elements, then `then`, as a chain of rules: the engine masks those in microseconds, but takes up to a
 * second for the same repetition written as `(a | b){2,200}`. Throws INVALID_REQUEST above MAX_REPETITIONS.
 */
export function repeat(book: RuleBook, { min, max, element }: Repetition, then: string): string[] {
  if (Math.max(min, max ?? 0) > MAX_REPETITIONS) {
    throw new RhoneError("INVALID_REQUEST", `repeats a part more than ${MAX_REPETITIONS} times`);
  }
  let next = then;
  if (max === undefined) {
    next = book.reserve();
    book.define(next, [then, ...element(next)]);
  } else {
    for (let left = max; left > min; left--) next = book.rule([then, ...element(next)]);
  }
  for (let left = min; left > 0; left--) next = book.reference(element(next));
  return [next];
}
