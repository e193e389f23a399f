import { expect, test } from "vitest";
import { jsonSchemaGrammar } from "../schema/json-schema-grammar.js";
import { choiceGrammar } from "../text-grammars.js";
import { GrammarEngine } from "./grammar-engine.js";

/** 0 ends, 1 is a control token, then "a", "b", "ab". */
const engine = new GrammarEngine({
  size: 6,
  pieces: ["", "", "a", "b", "ab", "c"].map((piece) => new TextEncoder().encode(piece)),
  endTokens: [0],
});

type Matcher = Awaited<ReturnType<GrammarEngine["match"]>>;

function allowed(matcher: Matcher, banned: readonly number[] = []): number[] {
  const logits = new Float32Array(6);
  matcher.mask(logits, banned);
  return [...logits.keys()].filter((token) => logits[token] === 0);
}

test("tokens that may follow stay, and ends only where the text is complete", async () => {
  const matcher = await engine.match({ grammar: choiceGrammar(["ab", "abab"]) });
  expect(allowed(matcher)).toEqual([2, 4]);
  matcher.accept(2);
  expect(allowed(matcher)).toEqual([3]);
  matcher.accept(3);
  expect(allowed(matcher)).toEqual([0, 2, 4]);
  expect(allowed(matcher, [0])).toEqual([2, 4]);
  matcher.accept(4);
  expect(allowed(matcher, [0])).toEqual([0]);
  matcher.accept(0);
  expect(allowed(matcher)).toEqual([0]);
  matcher.close();
});

test("a token that may not follow is refused", async () => {
  const matcher = await engine.match({ grammar: choiceGrammar(["ab"]) });
  expect(() => matcher.accept(5)).toThrow(expect.objectContaining({ code: "STAGE_FAILED" }));
  matcher.close();
});

test("a grammar behind a trigger holds only for texts that begin with it", async () => {
  const options = { grammar: choiceGrammar(["ab"]), trigger: 1 };
  const triggered = await engine.match(options);
  expect(allowed(triggered)).toHaveLength(6);
  triggered.accept(1);
  expect(allowed(triggered)).toEqual([2, 4]);
  triggered.close();
  const free = await engine.match(options);
  free.accept(5);
  expect(allowed(free)).toHaveLength(6);
  expect(free.allowed()).toBeUndefined();
  expect(allowed(free, [5])).toEqual([0, 1, 2, 3, 4]);
  free.close();
});

test("texts that begin with another token than the trigger have a grammar of their own", async () => {
  const options = { grammar: choiceGrammar(["ab"]), trigger: 1, otherwise: choiceGrammar(["b", "c"]) };
  const triggered = await engine.match(options);
  expect(allowed(triggered)).toEqual([1, 3, 5]);
  triggered.accept(1);
  expect(allowed(triggered)).toEqual([2, 4]);
  triggered.close();
  const other = await engine.match(options);
  other.accept(3);
  expect(allowed(other)).toEqual([0]);
  expect(() => other.accept(2)).toThrow(expect.objectContaining({ code: "STAGE_FAILED" }));
  other.close();
});

test("the engine goes on after a grammar that it does not take", async () => {
  await expect(engine.match({ grammar: "root ::= (" })).rejects.toMatchObject({ code: "INVALID_REQUEST" });
  const matcher = await engine.match({ grammar: choiceGrammar(["b"]) });
  expect(allowed(matcher)).toEqual([3]);
  matcher.close();
});

test.each<[string, readonly string[], RegExp]>([
  ["arrays", ["[", "a", '"', ",", "]", ""], /^\[{8,}/],
  ["strings with brackets", ['"', "]", "\\", "a", "[", ""], /^\["\]{8,}/],
])("a text of %s, of which few tokens are left, is led to its end", async (_, worst, begins) => {
  const pieces = ["", "a", '"', "]", "[", ",", "{", "}", ":", "\\"];
  const json = new GrammarEngine({
    size: pieces.length,
    pieces: pieces.map((piece) => new TextEncoder().encode(piece)),
    endTokens: [0],
  });
  const items = { anyOf: [{ type: "array", items: {} }, { type: "string" }] };
  const matcher = await json.match({ grammar: jsonSchemaGrammar({ type: "array", items }) });
  const logits = new Float32Array(pieces.length);
  let text = "";
  for (let remaining = 60; remaining > 0; remaining--) {
    logits.fill(0);
    matcher.mask(logits, [], remaining);
    const first = text === "" ? pieces.indexOf("[") : undefined;
    const wanted = worst.filter((piece) => piece !== '"' || !text.includes('"')).map((piece) => pieces.indexOf(piece));
    const token = first ?? [...wanted, 2].find((id) => logits[id] === 0) ?? 0;
    if (token === 0) break;
    matcher.accept(token);
    text += pieces[token];
  }
  expect(text).toMatch(begins);
  expect(JSON.parse(text)).toBeInstanceOf(Array);
  matcher.close();
});
