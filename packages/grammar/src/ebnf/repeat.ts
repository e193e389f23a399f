import { Unenforceable } from "../refusals.js";
import type { RuleBook } from "./rule-book.js";

/** Most repetitions of one part. */
export const MAX_REPETITIONS = 512;
/** Elements of a block. Larger ones take longer to compile, smaller ones longer for each mask. */
const BLOCK = 16;
/** Most elements that are written one by one, which takes as many states as blocks do. */
const ONE_BY_ONE = 2 * BLOCK;

export interface Repetition {
  readonly min: number;
  /** undefined for no maximum. */
  readonly max: number | undefined;
  /** Every way to write one element, followed by `then`. */
  readonly element: (then: string) => readonly string[];
}

/**
 * `min` to `max` elements, then `then`. Few elements are a chain of rules, each of which ends in the next: the engine
 * masks those soonest, but tries the whole vocabulary once in every state. Many elements are written in blocks, whose
 * states all repetitions of the element share: 31 states instead of `max`. `(a | b){2,200}`, the engine's own form,
 * takes up to a second for each mask. Throws Unenforceable above MAX_REPETITIONS.
 */
export function repeat(book: RuleBook, { min, max, element }: Repetition, then: string): string[] {
  if (Math.max(min, max ?? 0) > MAX_REPETITIONS) {
    throw new Unenforceable("", `repeats a part more than ${MAX_REPETITIONS} times`);
  }
  const chains = new Chains(book, element);
  return [chains.exactly(min, max === undefined ? chains.any(then) : chains.upTo(max - min, then))];
}

/** Writes repetitions of one element. */
class Chains {
  readonly #book: RuleBook;
  readonly #element: Repetition["element"];

  constructor(book: RuleBook, element: Repetition["element"]) {
    this.#book = book;
    this.#element = element;
  }

  any(then: string): string {
    const all = this.#book.reserve();
    this.#book.define(all, [then, ...this.#element(all)]);
    return all;
  }

  exactly(count: number, then: string): string {
    if (count <= ONE_BY_ONE) return this.#chain(count, then);
    const block = this.#chain(BLOCK, '""');
    let next = this.#chain(count % BLOCK, then);
    for (let left = count; left >= BLOCK; left -= BLOCK) next = this.#book.rule([`${block} ${next}`]);
    return next;
  }

  upTo(most: number, then: string): string {
    if (most <= ONE_BY_ONE) return this.#openChain(most, then);
    const block = this.#chain(BLOCK, '""');
    const lessThanBlock = this.#openChain(BLOCK - 1, then);
    let next = this.#openChain(most % BLOCK, then);
    for (let left = most; left >= BLOCK; left -= BLOCK) {
      next = this.#book.rule([lessThanBlock, `${block} ${next}`]);
    }
    return next;
  }

  #chain(count: number, then: string): string {
    let next = then;
    for (let left = count; left > 0; left--) next = this.#book.reference(this.#element(next));
    return next;
  }

  /** It may end before each element. */
  #openChain(most: number, then: string): string {
    let next = then;
    for (let left = most; left > 0; left--) next = this.#book.rule([then, ...this.#element(next)]);
    return next;
  }
}
