// The thread is a compiled file: this test uses the package as its users do.
import { choiceGrammar, GrammarBuilder, type GrammarSource, type GrammarVocabulary } from "@rhone/grammar";
import { afterEach, describe, expect, it } from "vitest";
import { starved } from "../testing/starved.js";

const vocabulary: GrammarVocabulary = {
  size: 257,
  pieces: [new Uint8Array(), ...Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte))],
  endTokens: [0],
};
let builder: GrammarBuilder;
let vocabularies = 0;
const open = ({ timeoutMs = 20_000, memoryBytes = 256 * 2 ** 20, most = 8 } = {}) => {
  vocabularies = 0;
  const read = async () => {
    vocabularies += 1;
    return vocabulary;
  };
  builder = new GrammarBuilder({ vocabulary: read, limits: { timeoutMs, memoryBytes, most, withinMs: 20_000 } });
  return async (source: GrammarSource, leadingSpace = false) =>
    (await builder.build({ source, leadingSpace, owner: "" })).grammar;
};
afterEach(() => builder.close());

const choice = (...choices: string[]): GrammarSource => ({ kind: "choice", param: "choice", choices });
const ebnf = (grammar: string): GrammarSource => ({ kind: "ebnf", param: "grammar", grammar });
/** Compiles for minutes. */
const endless = ebnf(`root ::= ${Array.from({ length: 400 }, (_, i) => `"${i}" [a-z]{1,500} "${i}"`).join(" | ")}`);
/** The engine unfolds it. */
const huge = ebnf(`root ::= (${Array.from({ length: 300 }, (_, i) => `"x${i}"`).join(" | ")}){1,500}`);

describe("GrammarBuilder", { timeout: 30_000 }, () => {
  it("writes what the engine can enforce, and reads the vocabulary once", async () => {
    const build = open();
    expect(await build(choice("a", "b"))).toBe(choiceGrammar(["a", "b"]));
    expect(await build(choice("a", "b"), true)).toMatch(/^root ::= " " /);
    expect(vocabularies).toBe(1);
  });

  it("refuses with the field what can't be written, and what the engine does not accept", async () => {
    const build = open();
    const refusal = { code: "INVALID_REQUEST", param: "grammar" };
    await expect(build(ebnf("root ::= root"))).rejects.toMatchObject(refusal);
    const message = "is not a grammar that the engine accepts";
    await expect(build(ebnf('root ::= "a"{5,2}'))).rejects.toMatchObject({ ...refusal, message });
    expect(await build(choice("c"))).toContain('"c"');
  });

  it("stops a grammar that takes too long, remembers it, and goes on with another thread", async () => {
    const build = open({ timeoutMs: 400 });
    const refusal = {
      code: "GRAMMAR_TOO_COSTLY",
      param: "grammar",
      message: "is too costly: it takes more than 400 ms to prepare",
    };
    await expect(build(endless)).rejects.toMatchObject(refusal);
    const startedAt = performance.now();
    await expect(build(endless)).rejects.toMatchObject(refusal);
    expect(performance.now() - startedAt).toBeLessThan(400);
    expect(await build(choice("c"))).toContain('"c"');
  });

  it.runIf(process.platform === "linux")(
    "asks to try again, and remembers nothing, when the machine is busy",
    async () => {
      const build = open({ timeoutMs: 200 });
      await build(choice("a"));
      await expect(starved(() => build(endless))).rejects.toMatchObject({
        code: "GRAMMARS_BUSY",
        message: expect.stringMatching(
          /^The machine is too busy .* got 0 ms of processor time in 1\d{3} ms; try again\.$/,
        ),
      });
      // It is tried again, and now its thread gets processor time.
      const message = expect.not.stringContaining("got 0 ms");
      await expect(build(endless)).rejects.toMatchObject({ message });
    },
  );

  it("bounds the memory of the engine", async () => {
    const build = open({ timeoutMs: 60_000, memoryBytes: 20 * 2 ** 20 });
    const message = "is too costly: it takes more than 20 MiB to prepare";
    await expect(build(huge)).rejects.toMatchObject({ code: "GRAMMAR_TOO_COSTLY", message });
    expect(await build(choice("c"))).toContain('"c"');
  });

  it("refuses what is too large before anything else", async () => {
    const build = open();
    const refusal = {
      code: "INVALID_REQUEST",
      param: "grammar",
      message: expect.stringContaining("524288 characters"),
    };
    await expect(build(ebnf("x".repeat(600_000)))).rejects.toMatchObject(refusal);
    expect(vocabularies).toBe(0);
  });

  it("refuses when too many wait, and builds what is asked for twice once", async () => {
    const build = open({ most: 1 });
    const letters = ["a", "b", "b", "c", "a"];
    const built = await Promise.allSettled(letters.map((letter) => build(choice(letter))));
    expect(built.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "fulfilled", "rejected", "fulfilled"]);
    expect(built[3]).toMatchObject({ reason: { code: "GRAMMARS_BUSY" } });
  });

  const schemaOf = (schema: object, strict: boolean): GrammarSource => ({
    kind: "schema",
    param: "response_format",
    schema: { ...schema },
    strict,
  });
  /** One property's grammar is larger than a grammar may be. */
  const costly = {
    type: "object",
    properties: {
      a: { type: "string", pattern: `^(${Array.from({ length: 2500 }, (_, i) => `x${i}y`).join("|")}){1,40}$` },
      b: { type: "boolean" },
    },
    required: ["a", "b"],
  };

  it("lets a pattern that is too large through where a schema is not strict, the rest is enforced, and says so", async () => {
    open();
    const build = (strict: boolean) =>
      builder.build({ source: schemaOf(costly, strict), leadingSpace: false, owner: "" });
    const reason = "has a pattern that is too large: its grammar has more than 131072 characters";
    const message = `#/properties/a ${reason}`;
    await expect(build(true)).rejects.toMatchObject({ code: "INVALID_REQUEST", param: "response_format", message });
    const { grammar, warnings } = await build(false);
    expect(grammar).toContain('\\"b\\"');
    expect(warnings).toEqual([{ param: "response_format", path: "#/properties/a", reason }]);
  });

  it("lets a schema that is too large through where it is not strict, and says so", async () => {
    open();
    const large = { type: "array", items: { enum: ["x".repeat(600_000)] } };
    const build = (strict: boolean) =>
      builder.build({ source: schemaOf(large, strict), leadingSpace: false, owner: "" });
    await expect(build(true)).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    const reason = "is too large: it has more than 524288 characters";
    expect((await build(false)).warnings).toEqual([{ param: "response_format", path: "#", reason }]);
  });

  it("leaves the event loop free", async () => {
    const build = open({ timeoutMs: 500 });
    let turns = 0;
    const ticking = setInterval(() => turns++);
    await expect(build(endless)).rejects.toMatchObject({ code: "GRAMMAR_TOO_COSTLY" });
    clearInterval(ticking);
    expect(turns).toBeGreaterThan(50);
  });
});
