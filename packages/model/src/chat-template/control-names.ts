import { type ControlToken, SpecialNames } from "@rhone/ggml";

/** Characters that mean nothing in any text: Unicode keeps them for programs (noncharacters). */
export const MARKS = { inName: "\ufdd0", begin: "\ufdd1", end: "\ufdd2" } as const;
const ANY_MARK = /[\ufdd0-\ufdd2]/g;

/** Blanks as libllama strips them around some tokens. */
const BLANKS_BEFORE = /[ \t-\r]+$/;
const BLANKS_AFTER = /^[ \t-\r]+/;

/**
 * Tells the control tokens that a template writes from their names in the texts of callers. A caller's text is marked
 * before the template sees it: inside each name, and at its end if a name could begin there. A marked name is no name
 * any more, and the marks are gone again once the rendered text was split at names.
 */
export class ControlNames {
  readonly #tokens: ReadonlyMap<number, ControlToken>;
  readonly #names: SpecialNames;
  readonly #beginnings: ReadonlySet<string>;
  readonly #longest: number;

  /** A name of one character has no inside for a mark, so such a token stays text. */
  constructor(tokens: readonly ControlToken[]) {
    const marked = tokens.filter(({ name }) => name.length > 1);
    this.#tokens = new Map(marked.map((token) => [token.id, token]));
    this.#names = new SpecialNames(marked);
    this.#beginnings = new Set(
      marked.flatMap(({ name }) => Array.from({ length: name.length - 1 }, (_, index) => name.slice(0, index + 1))),
    );
    this.#longest = marked.reduce((most, { name }) => Math.max(most, name.length), 0);
  }

  /** A caller's text for a template: of what it names, nothing will be a token. Marks in it become U+FFFD. */
  hide(text: string): string {
    const marked = this.#names.marked(text.replace(ANY_MARK, "\ufffd"), MARKS.inName);
    const end = marked.trimEnd().length;
    return this.#endsInBeginning(marked.slice(0, end))
      ? marked.slice(0, end) + MARKS.inName + marked.slice(end)
      : marked;
  }

  /** The tokens that a rendered text names, by their ids, and the texts between them; none is empty or has marks. */
  split(rendered: string): readonly (number | string)[] {
    const parts = [...this.#names.split(rendered)];
    const tokenAt = (index: number): ControlToken | undefined => this.#tokens.get(parts[index] as number);
    const shown = parts.map((part, index) => {
      if (typeof part === "number") return part;
      const text = part.replace(ANY_MARK, "");
      const begun = tokenAt(index - 1)?.takesAfter ? text.replace(BLANKS_AFTER, "") : text;
      return tokenAt(index + 1)?.takesBefore ? begun.replace(BLANKS_BEFORE, "") : begun;
    });
    return shown.filter((part) => part !== "");
  }

  #endsInBeginning(text: string): boolean {
    for (let length = 1; length < this.#longest && length <= text.length; length++) {
      if (this.#beginnings.has(text.slice(-length))) return true;
    }
    return false;
  }
}
