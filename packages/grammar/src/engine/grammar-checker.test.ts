// The checker's thread is a compiled file: this test uses the package as its users do.
import { choiceGrammar, GrammarChecker, type GrammarVocabulary, regexTextGrammar } from "@rhone/grammar";
import { afterEach, describe, expect, it } from "vitest";

const vocabulary: GrammarVocabulary = {
  size: 257,
  pieces: [new Uint8Array(), ...Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte))],
  endTokens: [0],
};
let checker: GrammarChecker;
let vocabularies = 0;
const open = (timeoutMs = 20_000) => {
  vocabularies = 0;
  checker = new GrammarChecker({
    vocabulary: () => {
      vocabularies += 1;
      return vocabulary;
    },
    timeoutMs,
  });
  return checker;
};
afterEach(() => checker.close());

describe("GrammarChecker", { timeout: 30_000 }, () => {
  it("accepts what the engine can enforce, and reads the vocabulary once", async () => {
    const checks = open();
    await checks.check(choiceGrammar(["a", "b"]));
    await checks.check(regexTextGrammar("[a-z]+@[a-z]+"));
    expect(vocabularies).toBe(1);
  });

  it("needs no thread for a grammar that checkEbnf refuses", async () => {
    const checks = open();
    await expect(checks.check("root ::= root")).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    expect(vocabularies).toBe(0);
  });

  it("refuses what the engine does not accept, and goes on with another thread", async () => {
    const checks = open();
    const refusal = { code: "INVALID_REQUEST", message: "is not a grammar that the engine accepts" };
    const grammar = 'root ::= "a"{5,2}';
    await expect(checks.check(grammar)).rejects.toMatchObject(refusal);
    await expect(checks.check(grammar)).rejects.toMatchObject(refusal);
    await checks.check(choiceGrammar(["c"]));
  });

  it("stops a grammar that takes too long, with the limit", async () => {
    const checks = open(1);
    await expect(checks.check(regexTextGrammar("[a-z]{1,400}"))).rejects.toMatchObject({
      code: "INVALID_REQUEST",
      message: "is too costly: it takes more than 1 ms to prepare",
    });
  });

  it("answers checks that come together, each with its own verdict", async () => {
    const checks = open();
    const grammars = [choiceGrammar(["a"]), 'root ::= "a"{5,2}', choiceGrammar(["b"]), choiceGrammar(["a"])];
    const verdicts = await Promise.allSettled(grammars.map((grammar) => checks.check(grammar)));
    expect(verdicts.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "fulfilled"]);
  });
});
