import { MinHeap } from "./min-heap.js";
import type { Expression } from "./parse-ebnf.js";

/** One part of a rule, as a place where lengths arrive. */
interface Part {
  /** undefined for the whole of a rule. */
  readonly parent: Part | undefined;
  /** The rule that this part is the whole of, or a mention of. */
  readonly name: string | undefined;
  readonly kind: Expression["kind"];
  /** Parts of a sequence whose length is not known yet, and the length of the others. */
  missing: number;
  sum: number;
  isKnown: boolean;
}

/**
 * About the bytes of the shortest text of every rule that can end: escapes count as written, which is too many, and
 * repetitions `{n}` once, which is too few. Lengths become known from
 * the least on, as in D. E. Knuth's "A generalization of Dijkstra's algorithm" (1977): n log n for n parts.
 */
export function shortestTexts(rules: ReadonlyMap<string, Expression>): ReadonlyMap<string, number> {
  return new LengthSearch(rules).run();
}

class LengthSearch {
  readonly #mentions = new Map<string, Part[]>();
  readonly #heap = new MinHeap<Part>();
  readonly #lengths = new Map<string, number>();

  constructor(rules: ReadonlyMap<string, Expression>) {
    for (const [name, rule] of rules) {
      const whole = { parent: undefined, name, kind: "choice", missing: 0, sum: 0, isKnown: false } as const;
      this.#add(rule, { ...whole });
    }
  }

  run(): ReadonlyMap<string, number> {
    for (let next = this.#heap.pop(); next !== undefined; next = this.#heap.pop()) {
      const { key: length, value: part } = next;
      if (part.isKnown) continue;
      part.isKnown = true;
      if (part.parent === undefined) this.#learn(part, length);
      else this.#tell(part.parent, length);
    }
    return this.#lengths;
  }

  #learn({ name = "" }: Part, length: number): void {
    this.#lengths.set(name, length);
    for (const mention of this.#mentions.get(name) ?? []) this.#heap.push(length, mention);
  }

  #tell(parent: Part, length: number): void {
    parent.sum += length;
    parent.missing--;
    if (parent.kind !== "sequence") this.#heap.push(length, parent);
    else if (parent.missing === 0) this.#heap.push(parent.sum, parent);
  }

  #add(expression: Expression, parent: Part): void {
    const name = expression.kind === "rule" ? expression.name : undefined;
    const part: Part = { parent, name, kind: expression.kind, missing: 0, sum: 0, isKnown: false };
    if (expression.kind === "text") this.#heap.push(expression.bytes, part);
    else if (expression.kind === "repeat") this.#repeat(expression, part);
    else if (expression.kind === "rule") this.#mention(expression.name, part);
    else {
      part.missing = expression.parts.length;
      if (part.missing === 0) this.#heap.push(0, part);
      for (const each of expression.parts) this.#add(each, part);
    }
  }

  #repeat({ min, of }: Extract<Expression, { kind: "repeat" }>, part: Part): void {
    if (min === 0) this.#heap.push(0, part);
    else this.#add(of, part);
  }

  #mention(name: string, part: Part): void {
    const mentions = this.#mentions.get(name);
    if (mentions === undefined) this.#mentions.set(name, [part]);
    else mentions.push(part);
  }
}
