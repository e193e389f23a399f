import { type ByteSet, bytesOfText, sequencesOfClass } from "./byte-sets.js";
import { MinHeap } from "./min-heap.js";
import { type Expression, parseEbnf } from "./parse-ebnf.js";

/**
 * A place in a rule of a grammar. "byte" reads one byte, "choice" goes on at any of several places, "call" reads a text
 * of a rule first, "end" is the end of each rule.
 */
export type GrammarNode = ByteNode | ChoiceNode | CallNode | EndNode;

interface Distances {
  readonly index: number;
  /** Bytes of the shortest text from here to the end of the rule. */
  rest: number;
  /** The most letters by which one byte, here or later, can lead away from the end. */
  risk: number;
}

export interface ByteNode extends Distances {
  readonly kind: "byte";
  readonly bytes: ByteSet;
  readonly to: GrammarNode;
}

export interface ChoiceNode extends Distances {
  readonly kind: "choice";
  readonly ways: GrammarNode[];
}

export interface CallNode extends Distances {
  readonly kind: "call";
  readonly rule: ChoiceNode;
  readonly to: GrammarNode;
}

export interface EndNode extends Distances {
  readonly kind: "end";
}

/** Most places of a grammar whose texts are led to their ends: 256 KiB of our grammars have 100,000. */
const MOST_NODES = 200_000;

/** The beginning of the texts of a grammar; undefined for one with too many places. */
export function automatonOf(grammar: string): ChoiceNode | undefined {
  return new AutomatonWriter(parseEbnf(grammar)).write();
}

class AutomatonWriter {
  readonly #nodes: GrammarNode[] = [];
  readonly #rules = new Map<string, ChoiceNode>();
  readonly #sets = new Map<string, readonly (readonly ByteSet[])[]>();
  readonly #source: ReadonlyMap<string, Expression>;
  readonly #end: EndNode;

  constructor(source: ReadonlyMap<string, Expression>) {
    this.#source = source;
    this.#end = this.#node<EndNode>({ kind: "end" });
  }

  write(): ChoiceNode | undefined {
    for (const name of this.#source.keys()) this.#rules.set(name, this.#node<ChoiceNode>({ kind: "choice", ways: [] }));
    for (const [name, rule] of this.#source) {
      this.#rules.get(name)?.ways.push(this.#before(rule, this.#end));
      if (this.#nodes.length > MOST_NODES) return undefined;
    }
    measure(this.#nodes, this.#end);
    return this.#rules.get("root");
  }

  #node<N extends GrammarNode>(fields: Omit<N, keyof Distances>): N {
    const node = { ...fields, index: this.#nodes.length, rest: Number.POSITIVE_INFINITY, risk: 0 } as unknown as N;
    this.#nodes.push(node);
    return node;
  }

  /** The place where the expression begins, with `to` behind it. */
  #before(expression: Expression, to: GrammarNode): GrammarNode {
    if (this.#nodes.length > MOST_NODES) return to;
    switch (expression.kind) {
      case "text":
        return expression.source.startsWith("[")
          ? this.#class(expression.source, to)
          : this.#text(expression.source, to);
      case "rule": {
        const rule = this.#rules.get(expression.name);
        return rule === undefined ? to : this.#node<CallNode>({ kind: "call", rule, to });
      }
      case "sequence":
        return expression.parts.reduceRight<GrammarNode>((next, part) => this.#before(part, next), to);
      case "choice":
        return this.#choice(expression.parts.map((part) => this.#before(part, to)));
      case "repeat":
        return this.#repeat(expression, to);
    }
  }

  #choice(ways: GrammarNode[]): GrammarNode {
    const [only] = ways;
    return ways.length === 1 && only !== undefined ? only : this.#node<ChoiceNode>({ kind: "choice", ways });
  }

  #text(source: string, to: GrammarNode): GrammarNode {
    const byte = (next: GrammarNode, value: number): GrammarNode =>
      this.#node<ByteNode>({ kind: "byte", bytes: [[value, value]], to: next });
    return bytesOfText(source).reduceRight<GrammarNode>(byte, to);
  }

  #class(source: string, to: GrammarNode): GrammarNode {
    const sequences = this.#sets.get(source) ?? sequencesOfClass(source);
    this.#sets.set(source, sequences);
    const byte = (next: GrammarNode, bytes: ByteSet): GrammarNode =>
      this.#node<ByteNode>({ kind: "byte", bytes, to: next });
    return this.#choice(sequences.map((sets) => sets.reduceRight<GrammarNode>(byte, to)));
  }

  #repeat({ of, min, max }: Extract<Expression, { kind: "repeat" }>, to: GrammarNode): GrammarNode {
    let next = to;
    if (max === Number.POSITIVE_INFINITY) {
      const loop = this.#node<ChoiceNode>({ kind: "choice", ways: [to] });
      loop.ways.push(this.#before(of, loop));
      next = loop;
    }
    const optional = Number.isFinite(max) ? max - min : 0;
    for (let left = optional; left > 0 && this.#nodes.length <= MOST_NODES; left--)
      next = this.#choice([to, this.#before(of, next)]);
    for (let left = min; left > 0 && this.#nodes.length <= MOST_NODES; left--) next = this.#before(of, next);
    return next;
  }
}

/** Works the distances out. */
function measure(nodes: readonly GrammarNode[], end: EndNode): void {
  const users: GrammarNode[][] = nodes.map(() => []);
  for (const node of nodes) for (const needed of neededBy(node)) users[needed.index]?.push(node);
  const bytes = distances(users, end, () => 1);
  for (const node of nodes) node.rest = bytes[node.index] ?? Number.POSITIVE_INFINITY;
  // A letter of several bytes is no longer way than one of one byte.
  const letters = distances(users, end, ({ bytes: set }) => (set.every(isInner) ? 0 : 1));
  const raises = nodes.flatMap((node) => (node.kind === "choice" ? [{ node, raise: raiseOf(node, letters) }] : []));
  for (const { node, raise } of raises.toSorted((a, b) => b.raise - a.raise)) {
    if (raise <= 0) break;
    spread(node, raise, users);
  }
}

/** Whether these are bytes of a letter behind its first byte. */
const isInner = ([first, last]: ByteSet[number]): boolean => first >= 0x80 && last <= 0xbf;

/**
 * The length of the shortest text from each place to the end of its rule, by the places' indices. `users`: the places
 * that need each. Found from the end on, as `shortestTexts` does.
 */
function distances(
  users: readonly (readonly GrammarNode[])[],
  end: EndNode,
  lengthOf: (node: ByteNode) => number,
): Float64Array {
  const known = new Float64Array(users.length).fill(Number.POSITIVE_INFINITY);
  const heap = new MinHeap<GrammarNode>();
  const at = ({ index }: GrammarNode): number => known[index] ?? Number.POSITIVE_INFINITY;
  /** From a node that needs one at the distance `rest`. */
  const from = (node: GrammarNode, rest: number): number => {
    if (node.kind === "byte") return lengthOf(node) + rest;
    return node.kind === "call" ? at(node.rule) + at(node.to) : rest;
  };
  heap.push(0, end);
  for (let next = heap.pop(); next !== undefined; next = heap.pop()) {
    const { key, value: node } = next;
    if (Number.isFinite(at(node))) continue;
    known[node.index] = key;
    for (const user of users[node.index] ?? []) {
      const rest = from(user, key);
      if (!Number.isFinite(at(user)) && Number.isFinite(rest)) heap.push(rest, user);
    }
  }
  return known;
}

function neededBy(node: GrammarNode): readonly GrammarNode[] {
  switch (node.kind) {
    case "byte":
      return [node.to];
    case "choice":
      return node.ways;
    case "call":
      return [node.rule, node.to];
    case "end":
      return [];
  }
}

/** How much longer the rest becomes when the longest way is taken, after its first letter. */
function raiseOf({ ways, index }: ChoiceNode, letters: Float64Array): number {
  const rests = ways.map((way) => letters[way.index] ?? Number.POSITIVE_INFINITY).filter(Number.isFinite);
  return Math.max(0, ...rests) - 1 - (letters[index] ?? Number.POSITIVE_INFINITY);
}

/** Notes the risk at every place from which the node can be reached, unless a greater one is noted there. */
function spread(from: GrammarNode, risk: number, users: readonly (readonly GrammarNode[])[]): void {
  const pending = [from];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if (node.risk > 0) continue;
    node.risk = risk;
    pending.push(...(users[node.index] ?? []));
  }
}
