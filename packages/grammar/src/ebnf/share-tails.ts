import { rulesOf, type Token } from "./parse-ebnf.js";

/** The elements of a sequence from one place on. Equal tails are one object. */
interface Tail {
  readonly first: string;
  readonly rest: Tail | undefined;
  /** Different elements that it follows. */
  uses: number;
}

/**
 * The same grammar, with a rule for each tail that several sequences share. The engine tries the vocabulary in every
 * state, and one in front of letters takes 10 to 30 ms with 131,072 tokens: 190 commands that go on in the same way
 * took 6 s, and take 1. Linear in the grammar. Sequences within groups stay as they are.
 */
export function shareTails(source: string): string {
  const rules = rulesOf(source);
  // A look-ahead is about what follows its rule, and would be about what follows the tail.
  if ([...rules.values()].some((body) => body.some(({ text }) => text === "="))) return source;
  const tails = new Tails([...rules.keys()]);
  const bodies = [...rules].map(([name, body]) => {
    return { name, ways: alternativesOf(body).map((elements) => tails.of(elements)) };
  });
  const lines = bodies.map(({ name, ways }) => `${name} ::= ${tails.alternatives(ways).join(" | ")}`);
  const shared = tails.rules();
  return shared.length === 0 ? source : [...lines, ...shared].join("\n");
}

/** The elements of each alternative, with their repetitions; a group is one element. */
function alternativesOf(body: readonly Token[]): readonly (readonly string[])[] {
  const alternatives: string[][] = [[]];
  let depth = 0;
  for (const { kind, text } of body) {
    const elements = alternatives.at(-1) ?? [];
    if (depth === 0 && text === "|") alternatives.push([]);
    else if (kind === "count" || /^[*+?]$/.test(text)) elements.push(`${elements.pop() ?? ""}${text}`);
    else if (depth > 0) elements.push(`${elements.pop() ?? ""} ${text}`);
    else elements.push(text);
    if (text === "(") depth++;
    if (text === ")") depth--;
  }
  return alternatives.map((elements) => elements.flatMap((each, i) => (i < elements.length - 1 ? cut(each) : each)));
}

/** A text before another element, cut before its last letter: often that is a space, as in half of the vocabulary. */
function cut(element: string): readonly string[] {
  const [, head, last] = /^"([^"\\]+)([ !#-[\]-~])"$/.exec(element) ?? [];
  return head === undefined ? [element] : [`"${head}"`, `"${last}"`];
}

/** A sequence, as the elements before the first shared tail and that tail. */
interface Way {
  readonly elements: readonly string[];
  readonly tail: Tail | undefined;
}

/** An alternative as it was, and cut before its first shared tail. */
interface Alternative {
  readonly whole: Way;
  readonly cut: Way;
}

/**
 * The alternatives that must stay whole: the text before their tail and the text of another alternative begin alike.
 * The engine (0.1.27) merges the states before a tail, even where one of them goes on in another way: it read
 * `"b" t | "aa" t | "aaaa"` as allowing "baa".
 */
function unsafeOf(alternatives: readonly Alternative[]): ReadonlySet<Alternative> {
  const sorted = alternatives
    .map((alternative) => ({ alternative, head: headOf(alternative.whole) }))
    .toSorted((a, b) => (a.head < b.head ? -1 : 1));
  const unsafe = new Set<Alternative>();
  let shorter: string | undefined;
  for (const [i, { alternative, head }] of sorted.entries()) {
    const start = headOf(alternative.cut);
    const isAlone = [sorted[i - 1], sorted[i + 1]].every((other) => other?.head.startsWith(start) !== true);
    const isPrefixed = shorter !== undefined && head.startsWith(shorter);
    if (!isPrefixed) shorter = head;
    if (isPrefixed || !isAlone) unsafe.add(alternative);
  }
  return unsafe;
}

/** The texts without escapes that it begins with. */
function headOf({ elements }: Way): string {
  const end = elements.findIndex((element) => !/^"[^"\\]*"$/.test(element));
  return (end === -1 ? elements : elements.slice(0, end)).map((element) => element.slice(1, -1)).join("");
}

/** Whether a rule for it saves states. */
const isShared = ({ first, rest, uses }: Tail): boolean => uses > 1 && (rest !== undefined || /[)*+?}]$/.test(first));

function wayOf(whole: Tail | undefined, ends: (tail: Tail) => boolean): Way {
  const elements: string[] = [];
  for (let at = whole; at !== undefined; at = at.rest) {
    if (at !== whole && ends(at)) return { elements, tail: at };
    elements.push(at.first);
  }
  return { elements, tail: undefined };
}

class Tails {
  readonly #byRest = new Map<Tail | undefined, Map<string, Tail>>();
  readonly #names = new Map<Tail, string>();
  readonly #prefix: string;

  /** `taken`: names of rules. */
  constructor(taken: readonly string[]) {
    let prefix = "tail";
    while (taken.some((name) => name.startsWith(prefix))) prefix += "_";
    this.#prefix = prefix;
  }

  /** undefined: no elements. */
  of(elements: readonly string[]): Tail | undefined {
    return elements.reduceRight<Tail | undefined>((rest, first) => this.#join(first, rest), undefined);
  }

  /** The text of each alternative of a rule, with the names of their shared tails. To be called once all are known. */
  alternatives(wholes: readonly (Tail | undefined)[]): readonly string[] {
    const alternatives = wholes.map((each) => ({ whole: wayOf(each, () => false), cut: wayOf(each, isShared) }));
    const unsafe = unsafeOf(alternatives);
    return alternatives.map((each) => this.#text(unsafe.has(each) ? each.whole : each.cut));
  }

  /** A rule for each tail that has a name. Writing one may name more tails, which the loop then reaches. */
  rules(): readonly string[] {
    const rules: string[] = [];
    for (const [tail, name] of this.#names) rules.push(`${name} ::= ${this.alternatives([tail]).join()}`);
    return rules;
  }

  #join(first: string, rest: Tail | undefined): Tail {
    const siblings = this.#byRest.get(rest) ?? new Map<string, Tail>();
    this.#byRest.set(rest, siblings);
    const known = siblings.get(first);
    if (known !== undefined) return known;
    if (rest !== undefined) rest.uses++;
    const tail = { first, rest, uses: 0 };
    siblings.set(first, tail);
    return tail;
  }

  #text({ elements, tail }: Way): string {
    return [...elements, ...(tail === undefined ? [] : [this.#name(tail)])].join(" ");
  }

  #name(tail: Tail): string {
    const name = this.#names.get(tail) ?? `${this.#prefix}${this.#names.size}`;
    this.#names.set(tail, name);
    return name;
  }
}
