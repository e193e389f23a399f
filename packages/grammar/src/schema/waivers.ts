import { Unenforceable } from "../refusals.js";

/** A part of a schema that its grammar lets through. */
export interface Waiver {
  /** The place in the schema, such as "#/properties/a". */
  readonly path: string;
  readonly reason: string;
}

/** Where a schema is translated. */
export interface Place {
  /** The schema's place, such as "#/properties/a". */
  readonly where: string;
  /** Lets a keyword or a value through that can't be enforced. Throws Unenforceable where nothing may be. */
  readonly waive: (where: string, why: string) => void;
}

/** Most waivers that are told; a last one counts the others. */
const MOST = 20;
/** Longest path or reason that is told, in characters: names of properties may be as long as the schema. */
const LONGEST = 256;

/** Collects what a grammar lets through of its schema, each thing once. */
export class Waivers {
  readonly #isStrict: boolean;
  readonly #found = new Map<string, Waiver>();
  #others = 0;

  /** `strict`: nothing is let through. */
  constructor(options: { readonly strict: boolean }) {
    this.#isStrict = options.strict;
  }

  get isStrict(): boolean {
    return this.#isStrict;
  }

  /** Throws Unenforceable if strict. */
  readonly waive = (where: string, why: string): void => {
    if (this.#isStrict) throw new Unenforceable(where, why);
    const waiver = { path: cut(where), reason: cut(why) };
    const key = `${waiver.path} ${waiver.reason}`;
    if (this.#found.has(key)) return;
    if (this.#found.size < MOST) this.#found.set(key, waiver);
    else this.#others++;
  };

  get list(): readonly Waiver[] {
    const all = [...this.#found.values()];
    return this.#others === 0 ? all : [...all, { path: "#", reason: `has ${this.#others} more such places` }];
  }
}

const cut = (text: string): string => (text.length <= LONGEST ? text : `${text.slice(0, LONGEST - 1)}…`);
