import { TooLarge } from "../refusals.js";
import { leftFactor, NOTHING } from "./left-factor.js";

/** Most characters that are repeated in place; anything longer gets a rule of its own, so that grammars stay small. */
const INLINE_LIMIT = 48;

/**
 * A text as an EBNF literal; "" is the empty text. Half a surrogate pair becomes U+FFFD. Control characters are written
 * with \u, since the engine takes every hexadecimal digit after \x: "\x0abc" is one character to it.
 */
export function literal(text: string): string {
  const letters = Array.from(Buffer.from(text).toString(), (letter: string) => {
    const code = letter.codePointAt(0) ?? 0;
    if (letter === '"' || letter === "\\") return `\\${letter}`;
    return code >= 0x20 && code !== 0x7f ? letter : `\\u${code.toString(16).padStart(4, "0")}`;
  });
  return `"${letters.join("")}"`;
}

/** The rules of a grammar under construction. Equal bodies share a rule. */
export class RuleBook {
  readonly #bodies = new Map<string, string>();
  readonly #names = new Map<string, string>();
  readonly #limit: number;
  #length = 0;

  /** `limit`: most characters of all rules together. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The name of a rule with these alternatives. The empty text is written `""`, never left empty. */
  rule(alternatives: readonly string[]): string {
    const [only] = alternatives;
    if (alternatives.length === 1 && only !== undefined && /^\w+$/.test(only)) return only;
    const body = alternatives.join(" | ");
    const known = this.#names.get(body);
    if (known !== undefined) return known;
    const name = this.reserve();
    this.define(name, alternatives);
    this.#names.set(body, name);
    return name;
  }

  /** These alternatives inside a sequence: as they are when single and short, otherwise as the name of a rule. */
  reference(alternatives: readonly string[]): string {
    const [only] = alternatives;
    if (alternatives.length === 1 && only !== undefined && only.length <= INLINE_LIMIT) return only;
    return this.rule(alternatives);
  }

  /** A name to be defined later, for rules that contain themselves. */
  reserve(): string {
    const name = `r${this.#bodies.size}`;
    this.#bodies.set(name, "");
    return name;
  }

  /** Gives a reserved name its body. Throws INVALID_REQUEST when the grammar grows too large. */
  define(name: string, alternatives: readonly string[]): void {
    this.#write(name, leftFactor(alternatives, (rests) => this.#named(rests)).join(" | "));
  }

  /** The name of a rule with alternatives that begin differently already. */
  #named(alternatives: readonly string[]): string {
    const body = alternatives.join(" | ");
    const known = this.#names.get(body);
    if (known !== undefined) return known;
    const name = this.reserve();
    this.#write(name, body);
    this.#names.set(body, name);
    return name;
  }

  #write(name: string, body: string): void {
    this.#length += name.length + body.length + 6 - (this.#bodies.get(name)?.length ?? 0);
    if (this.#length > this.#limit) {
      throw new TooLarge(`its grammar has more than ${this.#limit} characters`);
    }
    this.#bodies.set(name, body);
  }

  /** The whole grammar as text, with `root` as its start, without rules that it does not use. */
  text(root: string): string {
    const used = this.#usedBy(root);
    const lines = [...this.#bodies].filter(([name]) => used.has(name)).map(([name, body]) => `${name} ::= ${body}`);
    return [`root ::= ${root}`, ...lines, `${NOTHING} ::= ""`].join("\n");
  }

  #usedBy(root: string): ReadonlySet<string> {
    const used = new Set<string>();
    const pending = [root];
    for (let body = pending.pop(); body !== undefined; body = pending.pop()) {
      for (const [, name] of body.matchAll(MENTION)) {
        if (name === undefined || used.has(name)) continue;
        used.add(name);
        pending.push(this.#bodies.get(name) ?? "");
      }
    }
    return used;
  }
}

/** Texts and classes match whole, so that letters in them are not taken for a rule's name. */
const MENTION = /"(?:[^"\\]|\\.)*"|\[(?:[^\]\\]|\\.)*\]|(r\d+)/g;
