import { RhoneError } from "@rhone/common";
import type { RuleBook } from "./rule-book.js";

/** Each place of a bounded repetition is a state in which the engine tries the whole vocabulary once. */
export const MAX_REPETITIONS = 512;

export interface Repetition {
  readonly min: number;
  /** undefined: without end. */
  readonly max: number | undefined;
  /** Every way to write one element, followed by `then`. */
  readonly element: (then: string) => readonly string[];
}

/**
 * `min` to `max` elements, then `then`, as rules that end in themselves: the engine masks those in microseconds, and takes up to a
 * second for the same repetition written `(a | b){2,200}`. Throws INVALID_REQUEST above MAX_REPETITIONS.
 */
export function repeat(book: RuleBook, { min, max, element }: Repetition, then: string): string[] {
  if (Math.max(min, max ?? 0) > MAX_REPETITIONS) {
    throw new RhoneError("INVALID_REQUEST", `repeats something more than ${MAX_REPETITIONS} times`);
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
