import { fileURLToPath } from "node:url";
import { openEngine, Vocabulary } from "@rhone/ggml";
import { choiceGrammar } from "@rhone/grammar";
import { expect, test } from "vitest";
import { Constraints } from "./constraints.js";

const path = fileURLToPath(new URL("../../../../models/breeze-q8_0.gguf", import.meta.url));

test("a sequence that is opened again goes on within its grammar behind what it had generated", async () => {
  const engine = openEngine();
  const vocabulary = Vocabulary.open(engine, path);
  const constraints = new Constraints({ engine, path, vocabSize: vocabulary.size });
  const constraint = { grammar: choiceGrammar(["yes", "you"]), trigger: 0 };
  const [first = 0] = Array.from({ length: vocabulary.size }, (_, id) => id).filter(
    (id) => vocabulary.pieceBytes(id, { special: false }).toString() === "y",
  );
  const generated = new Uint8Array(Int32Array.of(first).buffer);
  const matcher = await constraints.open({ constraint, generated });
  const logits = new Float32Array(vocabulary.size);
  matcher?.mask(logits);
  const pieces = [...logits.keys()]
    .filter((id) => logits[id] === 0)
    .map((id) => vocabulary.pieceBytes(id, { special: false }).toString());
  expect(new Set(pieces)).toEqual(new Set(["e", "o", "es", "ou"].filter((piece) => pieces.includes(piece))));
  expect(pieces).toEqual(expect.arrayContaining(["e", "o"]));
  expect(await constraints.open({})).toBeUndefined();
  matcher?.close();
  vocabulary.close();
});
