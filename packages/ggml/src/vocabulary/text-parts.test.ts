import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { openEngine } from "../native/engine.js";
import { BREEZE } from "../testing/small-files.js";
import { textOfRuns } from "../testing/texts.js";
import { Vocabulary } from "./vocabulary.js";

const engine = openEngine();
const whole = Vocabulary.open(engine, BREEZE, { partLength: Number.POSITIVE_INFINITY });
afterAll(() => whole.close());

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
      { numRuns: 350 },
    );
  });
});

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
    const [short, long] = [time(50_000), time(400_000)];
    // libllama alone takes 64 times as long; 30 leaves room for a busy machine.
    expect(long).toBeLessThan(30 * Math.max(short, 2));
    parts.close();
  });
});
