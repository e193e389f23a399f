import { RhoneError } from "@rhone/common";
import { leftFactor, NOTHING } from "./left-factor.js";

/** Longer bodies get a rule of their own wherever they stand, so that texts do not multiply. */
const INLINE_LIMIT = 48;

/** Collects the rules of a grammar. Equal bodies share a rule. */
export class RuleBook {
  readonly #bodies = new Map<string, string>();
  readonly #names = new Map<string, string>();
  readonly #limit: number;
  #length = 0;

  /** `limit`: the most characters that the rules may have together. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The name of a rule of these alternatives, none of which may be empty text alone: say `""`. */
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

  /** What stands for these alternatives inside a sequence: themselves when short and single, else a rule's name. */
  reference(alternatives: readonly string[]): string {
    const [only] = alternatives;
    if (alternatives.length === 1 && only !== undefined && only.length <= INLINE_LIMIT) return only;
    return this.rule(alternatives);
  }

  /** A name whose body comes later, for rules that contain themselves. */
  reserve(): string {
    const name = `r${this.#bodies.size}`;
    this.#bodies.set(name, "");
    return name;
  }

  /** Throws INVALID_REQUEST when the grammar grows too large. */
  define(name: string, alternatives: readonly string[]): void {
    const body = leftFactor(alternatives, (rests) => this.rule(rests)).join(" | ");
    this.#length += name.length + body.length + 6 - (this.#bodies.get(name)?.length ?? 0);
    if (this.#length > this.#limit) {
      throw new RhoneError("INVALID_REQUEST", `is too large: its grammar has more than ${this.#limit} characters`);
    }
    this.#bodies.set(name, body);
  }

  /** The grammar's text; it matches what `root` does. */
  text(root: string): string {
    const lines = [...this.#bodies].map(([name, body]) => `${name} ::= ${body}`);
    return [`root ::= ${root}`, ...lines, `${NOTHING} ::= ""`].join("\n");
  }
}
