import { describe, expect, it } from "vitest";
import { choiceGrammar, regexTextGrammar } from "../text-grammars.js";
import { GrammarEngine } from "./grammar-engine.js";
import { grammarVocabulary } from "./grammar-vocabulary.js";

/** Eight tokens for ten logits: 0 is control, 1 ends, 2 ends and is control, then bytes. */
const PIECES = ["<s>", "</s>", "<end>", "a", "b", "é", "ab", " "];
const tokens = {
  size: PIECES.length,
  isControl: (id: number) => id === 0 || id === 2,
  isEndOfGeneration: (id: number) => id === 1 || id === 2,
  pieceBytes: (id: number, { special }: { readonly special: boolean }) => {
    expect(special).toBe(false);
    return id === 1 ? new Uint8Array() : new TextEncoder().encode(PIECES[id]);
  },
};

describe("grammarVocabulary", () => {
  it("reads bytes and ends, and leaves control tokens without bytes", async () => {
    const { size, pieces, endTokens } = await grammarVocabulary(tokens, 10);
    expect([size, endTokens]).toEqual([10, [1, 2]]);
    expect(pieces.map((piece) => new TextDecoder().decode(piece))).toEqual(["", "", "", "a", "b", "é", "ab", " "]);
  });

  it("lets the event loop turn while it reads a large one", async () => {
    let turns = 0;
    const counting = setInterval(() => turns++, 1);
    const pieceBytes = () => {
      const until = performance.now() + 0.001;
      while (performance.now() < until);
      return new Uint8Array(3);
    };
    const { pieces } = await grammarVocabulary({ ...tokens, size: 131_072, pieceBytes }, 131_072);
    clearInterval(counting);
    expect(pieces).toHaveLength(131_072);
    expect(turns).toBeGreaterThan(10);
  });
});

describe("GrammarEngine", async () => {
  const engine = new GrammarEngine(await grammarVocabulary(tokens, 10));
  const allowed = async (grammar: string, given: readonly number[] = []) => {
    const matcher = await engine.match({ grammar });
    for (const token of given) matcher.accept(token);
    const logits = new Float32Array(10).fill(1);
    matcher.mask(logits);
    matcher.close();
    return [...logits.keys()].filter((token) => logits[token] === 1);
  };

  it("allows every end token of a complete text, and never a token without a piece", async () => {
    expect(await allowed(choiceGrammar(["ab"]), [6])).toEqual([1, 2]);
    expect(await allowed(regexTextGrammar("[^]*"))).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  it("follows a character of several bytes", async () => {
    expect(await allowed(choiceGrammar(["é!", "a"]))).toEqual([3, 5]);
  });

  it("leaves only end tokens where the vocabulary can't go on", async () => {
    expect(await allowed(choiceGrammar(["zzz"]))).toEqual([1, 2]);
  });

  it("gives each matcher its own position, also of one grammar", async () => {
    const grammar = choiceGrammar(["aab"]);
    const [first, second] = [await engine.match({ grammar }), await engine.match({ grammar })];
    first.accept(3);
    first.accept(6);
    expect(() => second.accept(4)).toThrow("The grammar does not allow token 4 here.");
    second.accept(3);
    first.close();
    second.accept(3);
    second.close();
  });

  it("goes on with matchers of grammars that it no longer keeps", async () => {
    const matcher = await engine.match({ grammar: choiceGrammar(["a b"]) });
    for (let i = 0; i < 40; i++) (await engine.match({ grammar: choiceGrammar([`a${i}`]) })).close();
    for (const token of [3, 7, 4, 1]) matcher.accept(token);
    matcher.close();
    expect(await allowed(choiceGrammar(["a b"]), [3])).toEqual([7]);
  });
});
