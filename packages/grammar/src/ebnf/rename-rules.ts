/** Texts, classes and comments are passed over whole, so that names in them stay. */
const NAME = /"(?:[^"\\\n]|\\.)*"|\[(?:[^\]\\\n]|\\.)*\]|#[^\n]*|(?<name>[A-Za-z_][\w.-]*)/g;

/** The same grammar, with every rule's name behind `prefix`. */
function renameRules(grammar: string, prefix: string): string {
  return grammar.replaceAll(NAME, (found, name: string | undefined) => (name === undefined ? found : prefix + name));
}

/** A grammar of the texts of any of these. */
export function anyOfGrammars(grammars: readonly string[]): string {
  // Matches nothing: keeps the engine from putting a rule's body where its name stands.
  const ways = grammars.map((_, i) => `nothing g${i}_root`);
  return [
    `root ::= ${ways.join(" | ")}`,
    'nothing ::= ""',
    ...grammars.map((one, i) => renameRules(one, `g${i}_`)),
  ].join("\n");
}

/** A grammar of a space and one of the grammar's texts behind it. */
export function behindSpace(grammar: string): string {
  return `root ::= " " behind_root\n${renameRules(grammar, "behind_")}`;
}
