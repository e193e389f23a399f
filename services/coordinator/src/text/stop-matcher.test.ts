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

  it("shows nothing that may yet be the start of a stop string", () => {
    const matcher = new StopMatcher(["STOP"], { include: false });
    expect(matcher.push("go ST").text).toBe("go ");
    expect(matcher.push("O").text).toBe("");
    expect(matcher.push("RE").text).toBe("STORE");
  });
});
