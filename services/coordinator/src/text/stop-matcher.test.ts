import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StopMatcher } from "./stop-matcher.js";

function feed(stops: readonly string[], texts: readonly string[], include = false) {
  const matcher = new StopMatcher(stops, { include });
  let shown = "";
  for (const text of texts) {
    const match = matcher.push(text);
    shown += match.text;
    if (match.matched !== null) return { shown, matched: match.matched };
  }
  return { shown: shown + matcher.flush(), matched: null };
}

describe("StopMatcher", () => {
  it.each([
    [["###"], ["a#", "#", "#b"], false, "a", "###"],
    [["###"], ["a#", "#", "b"], false, "a##b", null],
    [["###"], ["a#", "##"], true, "a###", "###"],
    [["ab", "b"], ["xab"], false, "x", "ab"],
    [["abcd", "bc"], ["xab", "cd"], false, "xa", "bc"],
    [["\n\n"], ["one\n", "two\n", "\nthree"], false, "one\ntwo", "\n\n"],
    [[], ["anything"], false, "anything", null],
  ] as const)("with %j over %j", (stops, texts, include, shown, matched) => {
    expect(feed(stops, texts, include)).toEqual({ shown, matched });
  });

  it("finds what a search of the whole text finds first, however it is cut", () => {
    const letters = (maxLength: number, minLength = 0) =>
      fc.array(fc.constantFrom("a", "b", "c"), { minLength, maxLength }).map((all) => all.join(""));
    const property = fc.property(fc.array(letters(5, 1), { maxLength: 4 }), fc.array(letters(6)), (stops, texts) => {
      const all = texts.join("");
      const ends = stops.flatMap((stop) =>
        all.includes(stop) ? [{ stop, end: all.indexOf(stop) + stop.length }] : [],
      );
      const [first] = ends.toSorted((a, b) => a.end - b.end);
      const shown = first === undefined ? all : all.slice(0, first.end - first.stop.length);
      expect(feed(stops, texts)).toEqual({ shown, matched: first?.stop ?? null });
    });
    fc.assert(property, { numRuns: 1000 });
  });

  it("takes time in proportion to the text, also for strings that repeat themselves", () => {
    const half = "a".repeat(50_000);
    const matcher = new StopMatcher(Array(16).fill(`${half}b${half}`), { include: false });
    const before = performance.now();
    for (let token = 0; token < 10_000; token++) matcher.push("aaaaaaaaaa");
    // 16 strings x 100,000 units: 0.1 s. By comparing each possible length it was 69 s at 131,000 units.
    expect(performance.now() - before).toBeLessThan(5000);
    expect(matcher.flush()).toBe(half);
  });

  it("shows nothing that may yet be the start of a stop string", () => {
    const matcher = new StopMatcher(["STOP"], { include: false });
    expect(matcher.push("go ST").text).toBe("go ");
    expect(matcher.push("O").text).toBe("");
    expect(matcher.push("RE").text).toBe("STORE");
  });
});
