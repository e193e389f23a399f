import { RhoneError } from "@rhone/common/rhone-error";

/** A part of a grammar. */
export type Expression =
  | {
      readonly kind: "text";
      /** A text or a class, as it is written. */
      readonly source: string;
      /** An upper bound for a text (escapes count as written), a lower bound for a class. */
      readonly bytes: number;
    }
  | { readonly kind: "rule"; readonly name: string }
  | { readonly kind: "sequence" | "choice"; readonly parts: readonly Expression[] }
  /** `max` may be infinite. */
  | { readonly kind: "repeat"; readonly of: Expression; readonly min: number; readonly max: number };

const MAX_DEPTH = 200;
const TOKEN =
  /(?<space>\s+|#[^\n]*)|(?<text>"(?:[^"\\\n]|\\.)*")|(?<set>\[(?:[^\]\\\n]|\\.)*\])|(?<arrow>::=)|(?<name>[A-Za-z_][\w.-]*)|(?<count>\{\s*\d*\s*,?\s*\d*\s*\})|(?<mark>[()|*+?=,])/y;

export interface Token {
  readonly kind: string;
  readonly text: string;
  readonly line: number;
}

/** The rules of a grammar in EBNF. Throws INVALID_REQUEST with the line of the first mistake. */
export function parseEbnf(source: string): ReadonlyMap<string, Expression> {
  return new Map([...rulesOf(source)].map(([name, body]) => [name, new ExpressionReader(body).read()]));
}

/** The tokens of each rule's body. Throws INVALID_REQUEST with the line of the first mistake that they show. */
export function rulesOf(source: string): ReadonlyMap<string, readonly Token[]> {
  const tokens = tokenize(source);
  const rules = new Map<string, readonly Token[]>();
  let at = 0;
  while (at < tokens.length) {
    const [name, arrow] = [tokens[at], tokens[at + 1]];
    if (name?.kind !== "name" || arrow?.kind !== "arrow")
      throw mistake(name ?? arrow, "a rule must begin with its name and ::=");
    if (rules.has(name.text)) throw mistake(name, `the rule ${name.text} is defined twice`);
    let end = at + 2;
    while (end < tokens.length && tokens[end + 1]?.kind !== "arrow") end++;
    rules.set(name.text, tokens.slice(at + 2, end));
    at = end;
  }
  return rules;
}

function tokenize(source: string): readonly Token[] {
  const tokens: Token[] = [];
  let line = 1;
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < source.length) {
    const match = TOKEN.exec(source);
    if (match === null) throw mistake({ kind: "", text: "", line }, "this is not EBNF");
    const [kind, text] = Object.entries(match.groups ?? {}).find(([, value]) => value !== undefined) ?? ["", ""];
    const token = { kind, text: String(text), line };
    if (kind === "set") checkSet(token);
    if (kind !== "space") tokens.push(token);
    line += token.text.split("\n").length - 1;
  }
  return tokens;
}

/** The engine reads positive classes byte by byte, so that characters above ASCII would match something else. */
function checkSet(token: Token): void {
  if (token.text.startsWith("[^")) return;
  const wide = /[^\p{ASCII}]|\\u(?!00[0-7])|\\U(?!0000000[0-7]|000000[0-7])/u;
  if (wide.test(token.text))
    throw mistake(token, `the class ${token.text} has characters outside ASCII; write those as texts`);
}

function mistake(token: Token | undefined, problem: string): RhoneError {
  const where = token === undefined ? "" : ` on line ${token.line}`;
  return new RhoneError("INVALID_REQUEST", `has a mistake${where}: ${problem}`);
}

const isRepetition = (token: Token | undefined): token is Token =>
  token !== undefined && (token.kind === "count" || ["*", "+", "?"].includes(token.text));

const MARKS: Readonly<Record<string, readonly [min: number, max: number]>> = {
  "*": [0, Number.POSITIVE_INFINITY],
  "+": [1, Number.POSITIVE_INFINITY],
  "?": [0, 1],
};

/** How often a mark says: `*`, `+`, `?`, `{2}`, `{2,}`, `{,3}` or `{2,3}`. */
function timesOf(mark: string): { readonly min: number; readonly max: number } {
  const known = MARKS[mark];
  if (known !== undefined) return { min: known[0], max: known[1] };
  const [, least = "", comma = "", most = ""] = /\{\s*(\d*)\s*(,?)\s*(\d*)/.exec(mark) ?? [];
  const min = Number(least);
  if (comma === "") return { min, max: min };
  return { min, max: most === "" ? Number.POSITIVE_INFINITY : Number(most) };
}

class ExpressionReader {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  read(): Expression {
    const expression = this.#choice();
    const rest = this.#tokens[this.#at];
    if (rest !== undefined) throw mistake(rest, `unexpected ${rest.text}`);
    return expression;
  }

  #choice(): Expression {
    const parts = [this.#sequence()];
    while (this.#take("|")) parts.push(this.#sequence());
    return { kind: "choice", parts };
  }

  #sequence(): Expression {
    const parts: Expression[] = [];
    for (let next = this.#tokens[this.#at]; next !== undefined && next.text !== "|" && next.text !== ")"; ) {
      parts.push(this.#repeated(this.#atom()));
      next = this.#tokens[this.#at];
    }
    return { kind: "sequence", parts };
  }

  #atom(): Expression {
    const token = this.#tokens[this.#at++];
    if (token?.kind === "text") return { kind: "text", source: token.text, bytes: Buffer.byteLength(token.text) - 2 };
    if (token?.kind === "set") return { kind: "text", source: token.text, bytes: 1 };
    if (token?.kind === "name") return { kind: "rule", name: token.text };
    if (token?.text !== "(")
      throw mistake(token, `expected a text, a class, a rule or a group, found ${token?.text ?? "the end"}`);
    if (++this.#depth > MAX_DEPTH) throw mistake(token, `parentheses are nested more than ${MAX_DEPTH} deep`);
    const looksAhead = this.#take("=");
    const inner = this.#choice();
    if (!this.#take(")")) throw mistake(token, "a parenthesis is not closed");
    this.#depth--;
    return looksAhead ? { kind: "text", source: '""', bytes: 0 } : inner;
  }

  /** Repeated by any number of marks: `"a"+?` may be empty. */
  #repeated(of: Expression): Expression {
    let all = of;
    for (let token = this.#tokens[this.#at]; isRepetition(token); token = this.#tokens[++this.#at])
      all = { kind: "repeat", of: all, ...timesOf(token.text) };
    return all;
  }

  #take(text: string): boolean {
    if (this.#tokens[this.#at]?.text !== text) return false;
    this.#at++;
    return true;
  }
}
