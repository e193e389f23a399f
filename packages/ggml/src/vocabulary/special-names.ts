export interface SpecialToken {
  readonly id: number;
  readonly name: string;
}

/** A piece of a text: a special token that it names, or plain text between names. */
export type NamedPart = number | string;

/**
 * Splits texts at the names of special tokens, as libllama does: the longest name first. libllama's own search walks
 * a list from its start at each name that it finds, so that 100 KB of "</s>" took it 1.8 s. Of names that overlap in a
 * text, the first is found.
 */
export class SpecialNames {
  readonly #ids: ReadonlyMap<string, number>;
  /** Finds names, and the units with which names begin; undefined without names. */
  readonly #patterns: { readonly names: RegExp; readonly starts: RegExp } | undefined;

  constructor(tokens: readonly SpecialToken[]) {
    const ordered = tokens
      .filter(({ name }) => name !== "")
      .toSorted((a, b) => Buffer.byteLength(b.name) - Buffer.byteLength(a.name));
    this.#ids = new Map(ordered.toReversed().map(({ name, id }) => [name, id]));
    const names = ordered.map(({ name }) => name.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&"));
    const any = names.join("|");
    if (any !== "") this.#patterns = { names: new RegExp(any, "g"), starts: new RegExp(`(?=${any})[^]`, "g") };
  }

  /** undefined for names that can overlap in a text, where searching from left to right finds others than libllama. */
  static unlessOverlapping(tokens: readonly SpecialToken[]): SpecialNames | undefined {
    return canOverlap(tokens.map(({ name }) => name)) ? undefined : new SpecialNames(tokens);
  }

  /** The parts of `text` in order, none of them empty. */
  *split(text: string): Generator<NamedPart, void, undefined> {
    let end = 0;
    for (const { 0: name, index } of this.#patterns === undefined ? [] : text.matchAll(this.#patterns.names)) {
      if (index > end) yield text.slice(end, index);
      yield this.#ids.get(name) ?? 0;
      end = index + name.length;
    }
    if (end < text.length) yield text.slice(end);
  }

  /** The text with `mark` behind the first UTF-16 unit of each name, also of those that overlap. */
  marked(text: string, mark: string): string {
    return this.#patterns === undefined ? text : text.replace(this.#patterns.starts, (unit) => unit + mark);
  }
}

/** Whether a name, or the beginning of one, occurs in another after its first character. */
function canOverlap(names: readonly string[]): boolean {
  const known = new Set(names);
  const beginnings = new Set(names.flatMap((name) => Array.from(name, (_, index) => name.slice(0, index + 1))));
  return names.some((name) => {
    const ends = Array.from({ length: name.length - 1 }, (_, index) => name.slice(index + 1));
    const holds = (end: string) =>
      Array.from(end, (_, index) => end.slice(0, index + 1)).some((part) => known.has(part));
    return ends.some((end) => beginnings.has(end) || holds(end));
  });
}
