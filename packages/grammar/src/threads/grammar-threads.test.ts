import { setTimeout as sleep } from "node:timers/promises";
// The threads are compiled files: this test uses the package as its users do.
import {
  choiceGrammar,
  DEFAULT_GRAMMAR_LIMITS,
  type GrammarLimits,
  GrammarThreads,
  type GrammarVocabulary,
  type MatchOptions,
  type TokenMatcher,
} from "@rhone/grammar";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { starved } from "../testing/starved.js";

const bytes = Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte));
const words = Array.from({ length: 26 ** 3 }, (_, i) => new TextEncoder().encode(`a${i.toString(26)}`));
/** Token 0 ends; then come the bytes, and words to make it a large one. */
const vocabulary: GrammarVocabulary = {
  size: 257 + words.length,
  pieces: [new Uint8Array(), ...bytes, ...words],
  endTokens: [0],
};
const token = (letter: string): number => letter.charCodeAt(0) + 1;
const tokens = (text: string): number[] => Array.from(text, token);

let threads: GrammarThreads;
const match = (options: Omit<MatchOptions, "owner"> & { readonly owner?: string }): Promise<TokenMatcher> =>
  threads.match({ owner: "", ...options });
const open = (limits: Partial<GrammarLimits> = {}) => {
  threads = new GrammarThreads({ vocabulary, limits: { ...DEFAULT_GRAMMAR_LIMITS, maskMs: 5000, ...limits } });
  return { match };
};
afterEach(() => threads.close());

function allowed(matcher: TokenMatcher): string {
  const logits = new Float32Array(vocabulary.size);
  matcher.mask(logits);
  const ids = [...logits.keys()].filter((id) => id <= bytes.length && logits[id] === 0);
  return ids.map((id) => (id === 0 ? "$" : String.fromCharCode(id - 1))).join("");
}

/** Compiles for minutes. */
const endless = `root ::= ${Array.from({ length: 400 }, (_, i) => `"${i}" [a-z]{1,500} "${i}"`).join(" | ")}`;
/** Compiles in a moment, then takes longer for each mask than for the one before: 50 ms after 40 letters. */
const slowMask = 'root ::= (("a" | "aa" | [a-z]+){1,50}){1,50}';
/** The engine unfolds it. */
const huge = `root ::= (${Array.from({ length: 300 }, (_, i) => `"x${i}"`).join(" | ")}){1,500}`;

describe("GrammarThreads", { timeout: 30_000 }, () => {
  it("follow a text from where it is", async () => {
    const matcher = await open().match({ grammar: choiceGrammar(["yes", "you"]), generated: tokens("y") });
    expect(allowed(matcher)).toBe("eo");
    matcher.accept(token("o"));
    expect(allowed(matcher)).toBe("u");
    matcher.accept(token("u"));
    expect(allowed(matcher)).toBe("$");
    matcher.close();
  });

  it("give texts with equal grammars a position each", async () => {
    const grammar = choiceGrammar(["aab"]);
    const [first, second] = await Promise.all([
      open().match({ grammar, generated: [] }),
      match({ grammar, generated: [] }),
    ]);
    first.acceptAll(tokens("aa"));
    expect([allowed(first), allowed(second)]).toEqual(["b", "a"]);
    first.close();
    second.accept(token("a"));
    expect(allowed(second)).toBe("a");
  });

  it("decide by the first token which of two grammars holds", async () => {
    const options = { grammar: choiceGrammar(["ab"]), otherwise: choiceGrammar(["b", "c"]), trigger: token("!") };
    const triggered = await open().match({ ...options, generated: tokens("!a") });
    expect(allowed(triggered)).toBe("b");
    const other = await match({ ...options, generated: [] });
    expect(allowed(other)).toBe("!bc");
    other.accept(token("c"));
    expect(allowed(other)).toBe("$");
  });

  it("refuse what the engine does not accept, and a text that the grammar does not allow", async () => {
    const refused = { code: "INVALID_REQUEST", message: "The engine does not accept the grammar." };
    await expect(open().match({ grammar: "root ::= (", generated: [] })).rejects.toMatchObject(refused);
    const grammar = choiceGrammar(["ab"]);
    const misled = { code: "STAGE_FAILED", message: `The grammar does not allow token ${token("b")} here.` };
    await expect(match({ grammar, generated: tokens("b") })).rejects.toMatchObject(misled);
    const matcher = await match({ grammar, generated: [] });
    matcher.accept(token("c"));
    expect(() => allowed(matcher)).toThrow(expect.objectContaining({ code: "STAGE_FAILED" }));
  });

  it("stop a grammar that compiles for too long, while others' masks keep coming", async () => {
    const matcher = await open({ compileMs: 500 }).match({ grammar: "root ::= [a-z]*", generated: [] });
    let masks = 0;
    const wrong: unknown[] = [];
    // What it throws would be nobody's, and so would each tick be after a test that failed and closed the threads.
    const ticking = setInterval(() => {
      try {
        matcher.accept(token("a"));
        if (allowed(matcher).length === 27) masks++;
        else wrong.push(allowed(matcher));
      } catch (error) {
        wrong.push(error);
        clearInterval(ticking);
      }
    });
    onTestFinished(() => clearInterval(ticking));
    const costly = { code: "GRAMMAR_TOO_COSTLY", message: /takes more than 500 ms to prepare/ };
    const attempt = match({ grammar: endless, generated: [] });
    await expect(attempt).rejects.toMatchObject({ code: costly.code, message: expect.stringMatching(costly.message) });
    clearInterval(ticking);
    expect(wrong).toEqual([]);
    expect(masks).toBeGreaterThan(20);
  });

  it.runIf(process.platform === "linux")("ask to try again when the machine is too busy to compile", async () => {
    open({ compileMs: 150 });
    await expect(starved(() => match({ grammar: endless, generated: [] }))).rejects.toMatchObject({
      code: "GRAMMARS_BUSY",
      message: expect.stringContaining("it got 0 ms of processor time in 1"),
    });
  });

  it("fail the text whose mask is late, and no other", async () => {
    const good = await open({ maskMs: 100 }).match({ grammar: "root ::= [a-z]*", generated: [] });
    const slow = await match({ grammar: slowMask, generated: [] });
    const late = expect.objectContaining({ code: "GRAMMAR_TOO_COSTLY", message: expect.stringContaining("100 ms") });
    expect(() => {
      for (let i = 0; i < 500; i++) {
        slow.accept(token("a"));
        allowed(slow);
      }
    }).toThrow(late);
    expect(() => allowed(slow)).toThrow(late);
    slow.close();
    expect(allowed(good)).toHaveLength(27);
  });

  it("bound a grammar's memory", async () => {
    const attempt = open({ compileMs: 60_000, memoryBytes: 20 * 2 ** 20 }).match({ grammar: huge, generated: [] });
    await expect(attempt).rejects.toMatchObject({
      code: "GRAMMAR_TOO_COSTLY",
      message: "The grammar is too costly: it takes more than 20 MiB.",
    });
  });

  it("let a grammar wait until another's last text ends", async () => {
    const first = await open({ threads: 1 }).match({ grammar: choiceGrammar(["a"]), generated: [] });
    let isOpen = false;
    const waiting = match({ grammar: choiceGrammar(["b"]), generated: [] }).then((matcher) => {
      isOpen = true;
      return matcher;
    });
    const shared = await match({ grammar: choiceGrammar(["a"]), generated: [] });
    first.close();
    expect([allowed(shared), isOpen]).toEqual(["a", false]);
    shared.close();
    expect(allowed(await waiting)).toBe("b");
  });

  it("give more texts than threads their two grammars, one text after the other", async () => {
    open({ threads: 2 });
    const pairs = ["a", "b", "c", "d"].map(async (letter) => {
      const grammar = choiceGrammar([letter]);
      const otherwise = choiceGrammar([letter.toUpperCase()]);
      const matcher = await match({ grammar, otherwise, trigger: token("!"), generated: [] });
      const next = allowed(matcher);
      matcher.close();
      return next;
    });
    expect(await Promise.all(pairs)).toEqual(["!A", "!B", "!C", "!D"]);
  });

  it("leave a thread to another owner, whatever the first asks for", async () => {
    open({ threads: 4 });
    const heavy = ["a", "b", "c", "d", "e"].map((letter) =>
      match({ owner: "heavy", grammar: choiceGrammar([letter]), generated: [] }),
    );
    const light = await match({ owner: "light", grammar: choiceGrammar(["z"]), generated: [] });
    expect(allowed(light)).toBe("z");
    const started: string[] = [];
    for (const waiting of heavy) {
      const matcher = await waiting; // the third starts when the first has ended
      started.push(allowed(matcher));
      matcher.close();
    }
    expect(started).toEqual(["a", "b", "c", "d", "e"]);
  });

  it("let a text with tokens wait as long as it takes, and refuse one without after `waitMs`", async () => {
    const first = await open({ threads: 1, waitMs: 50 }).match({ grammar: choiceGrammar(["a"]), generated: [] });
    const begun = match({ grammar: choiceGrammar(["bc"]), generated: tokens("b") });
    await expect(match({ grammar: choiceGrammar(["d"]), generated: [] })).rejects.toMatchObject({
      code: "GRAMMARS_BUSY",
      message: "After 50 ms, 2 requests are waiting for a grammar thread; try again, or raise --grammar-threads (1).",
    });
    first.close();
    expect(allowed(await begun)).toBe("c");
  });

  it("refuse those who wait once closed", async () => {
    await open({ threads: 1 }).match({ grammar: choiceGrammar(["a"]), generated: [] });
    const waiting = match({ grammar: choiceGrammar(["b"]), generated: [] });
    threads.close();
    await expect(waiting).rejects.toMatchObject({ code: "SHUTTING_DOWN" });
  });

  it("end a compilation that nobody waits for any more", async () => {
    const leaving = new AbortController();
    const attempt = open({ compileMs: 60_000 }).match({ grammar: endless, generated: [], signal: leaving.signal });
    const next = match({ grammar: choiceGrammar(["b"]), generated: [] });
    leaving.abort(new Error("gone"));
    await expect(attempt).rejects.toThrow("gone");
    expect(allowed(await next)).toBe("b");
  });

  it("leave no rejection to nobody, whenever they are closed and whatever is asked of them then", async () => {
    const unhandled = vi.fn();
    process.on("unhandledRejection", unhandled);
    onTestFinished(() => void process.off("unhandledRejection", unhandled));
    for (const ms of [0, 1, 20, 100]) {
      const matcher = await open({ threads: 2 }).match({ grammar: "root ::= [a-z]*", generated: [] });
      const compiling = match({ grammar: endless, generated: [] });
      const waiting = match({ grammar: choiceGrammar(["b"]), generated: [] });
      await sleep(ms);
      threads.close();
      for (let turn = 0; turn < 100; turn++) {
        matcher.accept(token("a"));
        expect(() => allowed(matcher)).toThrow(expect.objectContaining({ code: "CANCELLED" }));
      }
      matcher.close();
      const late = match({ grammar: choiceGrammar(["c"]), generated: [] });
      threads.close();
      const ends = await Promise.allSettled([compiling, waiting, late]);
      expect(ends.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
    }
    await new Promise((resolve) => setImmediate(resolve));
    expect(unhandled).not.toHaveBeenCalled();
  });

  it("throw from masks once closed", async () => {
    const matcher = await open().match({ grammar: choiceGrammar(["a"]), generated: [] });
    threads.close();
    expect(() => allowed(matcher)).toThrow(expect.objectContaining({ code: "CANCELLED" }));
  });
});
