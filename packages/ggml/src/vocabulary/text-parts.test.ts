import { execFile } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { openEngine } from "../native/engine.js";
import { BREEZE, temporaryFolder, writeBytePairs } from "../testing/small-files.js";
import { textOfRuns } from "../testing/texts.js";
import { Vocabulary } from "./vocabulary.js";

const engine = openEngine();
const whole = Vocabulary.open(engine, BREEZE, { partLength: Number.POSITIVE_INFINITY });
const folder = temporaryFolder("text-parts");
afterAll(() => {
  whole.close();
  rmSync(folder, { recursive: true });
});

describe.each([1, 7, 100])("a text in parts of about %i characters", (partLength) => {
  const inParts = Vocabulary.open(engine, BREEZE, { partLength });
  afterAll(() => inParts.close());

  it.each([
    { addSpecial: false, parseSpecial: false },
    { addSpecial: true, parseSpecial: true },
  ])("has the ids of the whole, with $addSpecial and $parseSpecial", (options) => {
    fc.assert(
      fc.property(textOfRuns(["<s>", "</s>", "<unk>", "<0x0A>"]), (text) => {
        expect(inParts.tokenize(text, options)).toEqual(whole.tokenize(text, options));
      }),
      { numRuns: 150 },
    );
  });
});

const SPLITS = ["default", "llama-bpe", "qwen2", "tekken", "gpt-4o", "deepseek-llm"];

describe.each(SPLITS)("a text split as %s does", (pre) => {
  const path = writeBytePairs(join(folder, `${pre}.gguf`), pre);

  it.each([1, 7, 100])("has the ids of the whole in parts of about %i characters", (partLength) => {
    const complete = Vocabulary.open(engine, path, { partLength: Number.POSITIVE_INFINITY });
    const inParts = Vocabulary.open(engine, path, { partLength });
    const options = { addSpecial: false, parseSpecial: true };
    fc.assert(
      fc.property(textOfRuns(["<|end|>", "the the\nthe", "lo lo"]), (text) => {
        expect(inParts.tokenize(text, options)).toEqual(complete.tokenize(text, options));
      }),
      { numRuns: 30 },
    );
    complete.close();
    inParts.close();
  });
});

// In a process of its own: a stack that does not suffice ends it.
it("may have a run of 100,000 equal characters of any kind, however it is split", async () => {
  const paths = SPLITS.map((pre) => writeBytePairs(join(folder, `${pre}-runs.gguf`), pre));
  const script = `
    import { openEngine, Vocabulary } from "@rhone/ggml";
    const engine = openEngine();
    for (const path of process.argv.slice(1)) {
      const vocabulary = Vocabulary.open(engine, path);
      for (const character of ["a", "A", "!", " ", "\\n", "\\t", "1", "é", "漢", "🙂"]) {
        vocabulary.tokenize(character.repeat(100_000), { addSpecial: false, parseSpecial: true });
      }
      console.log("done");
    }`;
  const run = promisify(execFile)(process.execPath, ["--input-type=module", "--eval", script, ...paths]);
  expect((await run).stdout).toBe("done\n".repeat(SPLITS.length));
}, 180_000); // 6 s on a quiet machine

describe("TextParts", () => {
  it("reads the halves of surrogate pairs on both sides of a cut as U+FFFD", () => {
    const parts = Vocabulary.open(engine, BREEZE, { partLength: 4 });
    const text = "abc\ud83d\ude42def\ud83dghi\ude42";
    const options = { addSpecial: false, parseSpecial: false };
    expect(parts.tokenize(text, options)).toEqual(whole.tokenize(text, options));
    parts.close();
  });

  it.each(["\n", "🙂", "漢", "a", "</s>", "\u0000"])("takes about 8 times as long for 8 times as many %j", (unit) => {
    const parts = Vocabulary.open(engine, BREEZE);
    const options = { addSpecial: false, parseSpecial: true };
    const time = (count: number) => {
      const text = unit.repeat(count);
      const [first, second] = [1, 2].map(() => {
        const from = performance.now();
        parts.tokenize(text, options);
        return performance.now() - from;
      });
      return Math.min(first ?? 0, second ?? 0);
    };
    const [short, long] = [time(25_000), time(200_000)];
    // libllama alone takes 64 times as long; 30 leaves room for a busy machine.
    expect(long).toBeLessThan(30 * Math.max(short, 2));
    parts.close();
  });
});
