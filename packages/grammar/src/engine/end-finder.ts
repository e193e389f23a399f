import type { ByteNode, ChoiceNode, GrammarNode } from "../ebnf/automaton.js";
import { bytesIn, hasByte } from "../ebnf/byte-sets.js";
import { type Ahead, BYTES, LONGEST_PATH, NEVER, newAhead, writeAhead } from "./ahead.js";

/** A place in a grammar, and where the rule that it is in returns to. */
type Position = readonly [node: GrammarNode, frame: Frame];

/** Where a rule returns to when its text ends. */
interface Frame {
  readonly returns: Position[];
  /** Bytes of the shortest text behind the rule. */
  rest: number;
  /** The most by which one byte behind the rule can lead away from the end. */
  risk: number;
  /** The rule may end where it began. */
  mayBeEmpty: boolean;
}

/** A place where the next byte is read. */
interface Item {
  readonly node: ByteNode;
  readonly frame: Frame;
}

/** Follows a text through a grammar, byte by byte, and knows how it can end soonest. */
export class EndFinder {
  readonly #whole: Frame = { returns: [], rest: 0, risk: 0, mayBeEmpty: false };
  /** undefined once the text can't be followed: it is left to itself then. */
  #places: Places | undefined;

  /** `root`: the beginning of the grammar's texts. */
  constructor(root: ChoiceNode) {
    this.#places = this.#reached([[root, this.#whole]]);
  }

  read(bytes: Uint8Array): void {
    for (const byte of bytes) {
      const items = this.#places?.items ?? [];
      this.#places = this.#reached(
        items.flatMap(({ node, frame }): Position[] => (hasByte(node.bytes, byte) ? [[node.to, frame]] : [])),
      );
    }
  }

  #reached(from: readonly Position[]): Places | undefined {
    const places = new Places(from, this.#whole);
    return from.length === 0 || places.areTooMany ? undefined : places;
  }

  get ahead(): Ahead {
    const ahead = newAhead();
    if (this.#places === undefined) return ahead;
    const { items, isComplete } = this.#places;
    const [near, calm] = [new Int32Array(BYTES).fill(NEVER), new Int32Array(BYTES).fill(0)];
    let [owed, risk] = [isComplete ? 0 : NEVER, 0];
    let soonest: Item | undefined;
    for (const item of items) {
      const rest = Math.min(NEVER, item.node.rest + item.frame.rest);
      const danger = Math.max(item.node.risk, item.frame.risk);
      risk = Math.max(risk, danger);
      if (rest < owed) [owed, soonest] = [rest, item];
      for (const byte of bytesIn(item.node.bytes)) {
        near[byte] = Math.min(near[byte] ?? NEVER, rest);
        calm[byte] = Math.max(calm[byte] ?? 0, danger === 0 ? rest : NEVER);
      }
    }
    for (const [byte, rest] of near.entries()) if (rest === NEVER) calm[byte] = NEVER;
    return writeAhead(ahead, { owed, risk, near, calm, path: soonest === undefined ? [] : pathFrom(soonest) });
  }
}

/** The next bytes of the shortest end, as far as only one byte leads there. */
function pathFrom({ node, frame }: Item): readonly number[] {
  const path: number[] = [];
  let at: Position | undefined = [node, frame];
  while (at !== undefined && path.length < LONGEST_PATH) {
    const [place, around]: Position = at;
    if (place.kind === "byte") {
      const [range, ...others] = place.bytes;
      if (range === undefined || others.length > 0 || range[0] !== range[1]) break;
      path.push(range[0]);
    }
    at = soonestFrom(place, around);
  }
  return path;
}

/** The next place on the shortest way to the end; undefined at the end. */
function soonestFrom(node: GrammarNode, frame: Frame): Position | undefined {
  switch (node.kind) {
    case "byte":
      return [node.to, frame];
    case "choice":
      return nearest(node.ways.map((way) => [way, frame]));
    case "call":
      return [node.rule, { returns: [[node.to, frame]], rest: node.to.rest + frame.rest, risk: 0, mayBeEmpty: false }];
    case "end":
      return nearest(frame.returns);
  }
}

const nearest = (positions: readonly Position[]): Position | undefined =>
  positions.reduce<Position | undefined>(
    (best, at) => (best === undefined || restOf(at) < restOf(best) ? at : best),
    undefined,
  );

const restOf = ([node, frame]: Position): number => node.rest + frame.rest;

/** Most places that are looked at for one byte. A text that can be read in more ways is left to itself. */
const MOST_PLACES = 20_000;

/** All places that are reached from some without another byte. */
class Places {
  readonly items: Item[] = [];
  isComplete = false;
  areTooMany = false;
  readonly #whole: Frame;
  readonly #seen = new Map<Frame, Set<GrammarNode>>();
  /** Of the rules that begin here. */
  readonly #frames = new Map<ChoiceNode, Frame>();
  #count = 0;

  constructor(from: readonly Position[], whole: Frame) {
    this.#whole = whole;
    const pending = [...from];
    for (let next = pending.pop(); next !== undefined && !this.areTooMany; next = pending.pop()) {
      if (this.#isNew(next)) pending.push(...this.#reachedFrom(next));
    }
    this.#settle();
  }

  #isNew([node, frame]: Position): boolean {
    this.areTooMany = ++this.#count > MOST_PLACES;
    const nodes = this.#seen.get(frame) ?? new Set();
    if (nodes.has(node)) return false;
    this.#seen.set(frame, nodes.add(node));
    return true;
  }

  #reachedFrom([node, frame]: Position): readonly Position[] {
    switch (node.kind) {
      case "byte":
        this.items.push({ node, frame });
        return [];
      case "choice":
        return node.ways.map((way) => [way, frame]);
      case "end":
        frame.mayBeEmpty = true;
        if (frame === this.#whole) this.isComplete = true;
        return frame.returns;
      case "call":
        // A rule at the end of another returns where that one does: a loop would grow by a frame at each turn.
        return node.to.kind === "end" ? [[node.rule, frame]] : this.#call(node.rule, [node.to, frame]);
    }
  }

  #call(rule: ChoiceNode, back: Position): readonly Position[] {
    const known = this.#frames.get(rule);
    if (known === undefined) {
      const frame: Frame = { returns: [back], rest: NEVER, risk: 0, mayBeEmpty: false };
      this.#frames.set(rule, frame);
      return [[rule, frame]];
    }
    known.returns.push(back);
    return known.mayBeEmpty ? [back] : [];
  }

  /** A rule that begins here may return into another that does, or into itself. */
  #settle(): void {
    let hasChanged = true;
    while (hasChanged) {
      hasChanged = false;
      for (const frame of this.#frames.values()) {
        const rest = frame.returns.reduce((least, at) => Math.min(least, restOf(at)), frame.rest);
        const risk = frame.returns.reduce((most, [node, behind]) => Math.max(most, node.risk, behind.risk), frame.risk);
        hasChanged ||= rest !== frame.rest || risk !== frame.risk;
        [frame.rest, frame.risk] = [rest, risk];
      }
    }
  }
}
