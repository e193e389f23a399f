import fc from "fast-check";

const RUNS = [
  "\n",
  " ",
  "\t",
  "\r\n",
  "\n\n ",
  "🙂",
  "👩‍👩‍👧",
  "漢字語文",
  "a",
  "the",
  "Hello wörld",
  "é",
  "\u0000",
  "123",
  "…",
  "-",
];

/** Texts of long runs and random characters; `names` of special tokens are among them. */
export function textOfRuns(names: readonly string[]): fc.Arbitrary<string> {
  const run = fc
    .tuple(fc.constantFrom(...RUNS, ...names), fc.integer({ min: 1, max: 60 }))
    .map(([unit, count]) => unit.repeat(count));
  const letters = fc.string({ unit: fc.constantFrom(..."etaoinshrdlu"), maxLength: 60 });
  return fc
    .array(fc.oneof(run, letters, fc.string({ maxLength: 20 }), fc.string({ unit: "binary", maxLength: 20 })), {
      maxLength: 8,
    })
    .map((parts) => parts.join(""));
}
