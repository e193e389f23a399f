import { expect, test } from "vitest";
import { jsonSchemaGrammar } from "../schema/json-schema-grammar.js";
import { anyOfGrammars, choiceGrammar, FREE_TEXT, regexTextGrammar } from "../text-grammars.js";
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

/** Every byte, and some words. Token 0 ends. */
const WORDS = ["END", "the ", "EN", "12", '", "', '":"', "now"];
const bytes = new GrammarEngine({
  size: 257 + WORDS.length,
  pieces: [
    new Uint8Array(),
    ...Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte)),
    ...WORDS.map((word) => Buffer.from(word)),
  ],
  endTokens: [0],
});
const tokenOf = (piece: string) => (piece.length === 1 ? piece.charCodeAt(0) + 1 : WORDS.indexOf(piece) + 257);

/** Writes what it likes best of what may come, within a number of tokens. */
async function write(grammar: string, likes: readonly string[], tokens: number) {
  const matcher = await bytes.match({ grammar });
  let text = "";
  let ended = false;
  for (let remaining = tokens; remaining > 0 && !ended; remaining--) {
    const logits = new Float32Array(257 + WORDS.length);
    matcher.mask(logits, [], remaining);
    const open = [...logits.keys()].filter((token) => logits[token] === 0);
    const token = [...likes.map(tokenOf), ...open].find((one) => open.includes(one)) ?? 0;
    ended = token === 0;
    if (ended) break;
    matcher.accept(token);
    text += token > 256 ? WORDS[token - 257] : String.fromCharCode(token - 1);
  }
  matcher.close();
  return { text, ended };
}

const pattern = (source: string) => jsonSchemaGrammar({ type: "string", pattern: source });
const owing = {
  type: "object",
  properties: { a: { type: "string", pattern: "^x+y{9}$" }, b: { type: "null" } },
  required: ["a", "b"],
};

test.each<[string, string, readonly string[], RegExp]>([
  ["END", regexTextGrammar("[a-z ]*END"), ["the ", "a"], /^(the )+a?END$/],
  ["digits", regexTextGrammar("[a-z ]+\\d{8}"), ["the "], /^(the )+\d{8}$/],
  ["the end of a pattern in JSON", pattern("^[a-z ]*@x\\.org$"), ["the "], /^"(the )+@x\.org"$/],
  ["what a pattern must contain", pattern("\\d{6}"), ["the "], /^"(the )+\d{6}"$/],
  ["the rest of an object behind a pattern", jsonSchemaGrammar(owing), ["x"], /^\{"a": ?"x+y{9}", ?"b": ?null\}$/],
  ["the shorter of two ways", regexTextGrammar("(a|b{100})+c"), ["b", "a"], /^(a|b{100})*c$/],
])("a text that owes %s is led there in time", async (_, grammar, likes, expected) => {
  for (const tokens of [36, 37, 38, 43, 60]) {
    const written = await write(grammar, likes, tokens);
    expect(written, String(tokens)).toEqual({ text: expect.stringMatching(expected), ended: true });
  }
});

test("free text, and text that may end anywhere, keeps its last words", async () => {
  const calls = choiceGrammar([`{"name": "${"n".repeat(200)}"}`]);
  for (const grammar of [anyOfGrammars([calls, FREE_TEXT]), regexTextGrammar("[a-z ]+")]) {
    expect(await write(grammar, ["the "], 5)).toEqual({ text: "the ".repeat(5), ended: false });
  }
});

test("a call that there is room for may begin", async () => {
  const call = '{"name": "f"}';
  const grammar = anyOfGrammars([choiceGrammar([call, `{"name": "${"g".repeat(200)}"}`]), FREE_TEXT]);
  expect(await write(grammar, ["{"], 60)).toEqual({ text: call, ended: true });
});
