import { describe, expect, it } from "vitest";
import { GrammarEngine } from "../engine/grammar-engine.js";
import { diceOf } from "../testing/random-schema.js";
import { allowedOf, randomTexts } from "../testing/random-text.js";
import { checkEbnf } from "./check-ebnf.js";
import { shareTails } from "./share-tails.js";

const lines = (...rules: string[]): string => rules.join("\n");

describe("shareTails", { timeout: 60_000 }, () => {
  it.each([
    {
      name: "the letter before what follows",
      source: lines('root ::= "on " n | "off " n', "n ::= [0-9]+ [a-z]"),
      shared: lines('root ::= "on" tail0 | "off" tail0', "n ::= [0-9]+ [a-z]", 'tail0 ::= " " n'),
    },
    {
      name: "tails within tails, over several rules",
      source: lines("root ::= a | b", 'a ::= "a" n "x" n', 'b ::= "b" n "x" n | "c" "x" n', "n ::= [0-9]"),
      shared: lines(
        "root ::= a | b",
        'a ::= "a" tail0',
        'b ::= "b" tail0 | "c" tail1',
        "n ::= [0-9]",
        "tail0 ::= n tail1",
        'tail1 ::= "x" n',
      ),
    },
    {
      name: "what only some alternatives can share",
      source: lines('root ::= "go-1 " n n | "go-10 " n n | "go-2 " n n', "n ::= [0-9]"),
      shared: lines('root ::= "go-1" " " n n | "go-10" tail0 | "go-2" tail0', "n ::= [0-9]", 'tail0 ::= " " n n'),
    },
    {
      name: "groups with their repetitions, but no single text",
      source: lines('root ::= "a" ("x" | "y" ("z"){1,2})? | "b" ("x" | "y" ("z"){1,2})? | "c" "e" | "d" "e"'),
      shared: lines('root ::= "a" tail0 | "b" tail0 | "c" "e" | "d" "e"', 'tail0 ::= ( "x" | "y" ( "z" ){1,2} )?'),
    },
    {
      name: "rules named as it would name its own",
      source: lines('root ::= "a" n n | "b" n n', "n ::= tail0", 'tail0 ::= "x"'),
      shared: lines('root ::= "a" tail_0 | "b" tail_0', "n ::= tail0", 'tail0 ::= "x"', "tail_0 ::= n n"),
    },
  ])("shares $name", async ({ source, shared }) => {
    expect(shareTails(source)).toBe(shared);
    checkEbnf(shared);
    const texts = [...(await randomTexts(source, 20)), ...(await randomTexts(shared, 20))];
    expect(await allowedOf(shared, texts)).toEqual(texts);
    expect(await allowedOf(source, texts)).toEqual(texts);
  });

  it.each([
    ["shares nothing", 'root ::= "a" n | "b"  # comment\nn ::= [0-9]'],
    ["looks ahead", 'root ::= "a" n n (= "b") | "b" n n (= "b")\nn ::= [0-9]'],
    ["ends its texts with escapes", 'root ::= "a\\n" n | "b\\n" n\nn ::= [0-9]'],
    ["begins alternatives alike", 'root ::= "a" n n | "ab" n n | "abc"\nn ::= [0-9]'],
    ["would begin alternatives alike", 'root ::= "ca" n "x" | "cc" n "x" | "cac" | "ccc"\nn ::= [0-9]'],
    ["begins alternatives with classes", "root ::= [ab] n n | [c] n n\nn ::= [0-9]"],
    ["has a repeated text", 'root ::= "ab"+ n | "cb"+ n\nn ::= [0-9]'],
  ])("leaves a grammar as it is that %s", (_, source) => {
    expect(shareTails(source)).toBe(source);
  });

  it("allows what random grammars allow, and no more", async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const source = randomGrammar(seed);
      const shared = shareTails(source);
      const texts = [...(await randomTexts(source, 6, seed)), ...(await randomTexts(shared, 6, seed))];
      const all = [...new Set(texts.flatMap((text) => [text, `${text}a`, text.slice(1), text.slice(0, -1)]))];
      expect(await allowedOf(shared, all), source).toEqual(await allowedOf(source, all));
    }
  });

  it("makes hundreds of commands that go on in the same way several times cheaper", async () => {
    const commands = Array.from({ length: 150 }, (_, i) => `"do-${i * 7919} " word (" --level=" word)?`);
    const source = lines(`root ::= ${commands.join(" | ")}`, "word ::= [a-z] [a-z0-9]{0,15}");
    const shared = shareTails(source);
    const rounds = [];
    for (let i = 0; i < 3; i++) rounds.push((await compileMs(source)) / (await compileMs(shared)));
    expect(Math.max(...rounds)).toBeGreaterThan(3);
  });

  it("takes sequences of any length", () => {
    const long = Array.from({ length: 20_000 }, (_, i) => `[${"ab"[i % 2]}] n`).join(" ");
    expect(shareTails(`root ::= "x" ${long} | "y" ${long}\nn ::= "1"`)).toContain('root ::= "x" tail0 | "y" tail0');
  });
});

/** Sequences of few elements, so that many end alike, some of which may be empty. */
function randomGrammar(seed: number): string {
  const dice = diceOf(seed);
  const ELEMENTS = ['"a"', '"ba"', '"b"', '"aa"', "[ab]", "n", "n?", '("b" n | "a")', '("ab" n)*', '("a" | "")'];
  const sequence = () => Array.from({ length: 1 + dice(4) }, () => ELEMENTS[dice(ELEMENTS.length)]).join(" ");
  const choice = () => Array.from({ length: 1 + dice(3) }, sequence).join(" | ");
  return lines(`root ::= ${choice()} | "!" m`, `m ::= ${choice()}`, 'n ::= "1" | "2" "a"');
}

const words = Array.from({ length: 8000 }, (_, i) => ` ${(i * 104_729).toString(26)}`);
const pieces = [
  ...Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte)),
  ...words.map((word) => Buffer.from(word)),
];

/** Processor time, for a vocabulary in which most tokens begin with a space. */
async function compileMs(grammar: string): Promise<number> {
  const engine = new GrammarEngine({ size: pieces.length + 1, pieces: [new Uint8Array(), ...pieces], endTokens: [0] });
  await engine.load();
  const before = process.cpuUsage();
  const matcher = await engine.match({ grammar });
  const { user } = process.cpuUsage(before);
  matcher.close();
  return user / 1000;
}
