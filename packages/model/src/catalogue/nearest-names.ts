const MOST = 3;

/** Up to three of `names` that a mistyped `name` may have meant: one contains the other, or few letters differ. */
export function nearestNames(name: string, names: readonly string[]): readonly string[] {
  const typed = name.toLowerCase();
  const allowed = Math.max(2, Math.floor(typed.length / 3));
  return names
    .map((known) => ({
      known,
      distance: known.includes(typed) || typed.includes(known) ? 0 : editDistance(typed, known),
    }))
    .filter(({ distance }) => distance <= allowed)
    .sort((a, b) => a.distance - b.distance)
    .slice(0, MOST)
    .map(({ known }) => known);
}

/** Levenshtein distance: the number of letters to insert, delete or replace. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (const [index, letter] of Array.from(a).entries()) {
    const next = [index + 1];
    for (let column = 1; column <= b.length; column++) {
      const replaced = (row[column - 1] ?? 0) + (letter === b[column - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
