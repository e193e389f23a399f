import { fileURLToPath } from "node:url";
import { openEngine, Vocabulary } from "@rhone/ggml";
import { choiceGrammar } from "@rhone/grammar";
import { afterAll, expect, test } from "vitest";
import { sequenceOpen } from "../testing/steps.js";
import { Constraints } from "./constraints.js";

const path = fileURLToPath(new URL("../../../../models/breeze-q8_0.gguf", import.meta.url));
const engine = openEngine();
const vocabulary = Vocabulary.open(engine, path);
afterAll(() => vocabulary.close());

const pieces = Array.from({ length: vocabulary.size }, (_, id) =>
  vocabulary.pieceBytes(id, { special: false }).toString(),
);
const tokenOf = (piece: string): number => pieces.indexOf(piece);
const constraints = new Constraints({ engine, path, vocabSize: vocabulary.size });
const grammar = choiceGrammar(["yes", "you"]);
const constrained = { grammar, trigger: null, otherwise: null, lastPosition: 100 };

test.each([
  ["the beginning", [], ["y"]],
  ["what it had generated", ["y"], ["e", "o"]],
  ["a whole branch less a letter", ["y", "o"], ["u"]],
])("a constrained sequence goes on from %s", async (_name, before, letters) => {
  const generated = Int32Array.from(before, tokenOf);
  const matcher = await constraints.open(sequenceOpen({ constraint: constrained, generated }));
  const logits = new Float32Array(vocabulary.size);
  matcher?.mask(logits);
  matcher?.close();
  const allowed = pieces.filter((_, id) => logits[id] === 0);
  expect(allowed).toEqual(expect.arrayContaining([...letters]));
  const rest = ["yes", "you"].map((text) => text.slice(before.length));
  expect(allowed.filter((piece) => !rest.some((text) => text.startsWith(piece)))).toEqual([]);
});

test("a sequence without a constraint has no matcher", async () => {
  expect(await constraints.open(sequenceOpen({}))).toBeNull();
});

test.each([
  ["does not compile", { ...constrained, grammar: "root ::= (" }, [], /^The grammar of sequence 1 does not compile\.$/],
  ["did not allow what was generated", constrained, ["e"], /token \d+/i],
])("a grammar that %s fails the sequence", async (_name, constraint, before, why) => {
  const generated = Int32Array.from(before, tokenOf);
  await expect(constraints.open(sequenceOpen({ constraint, generated }))).rejects.toMatchObject({
    code: "STAGE_FAILED",
    message: expect.stringMatching(why),
  });
});
