import { describe, expect, it } from "vitest";
import { SpecialNames } from "./special-names.js";

const names = (...all: readonly string[]) => new SpecialNames(all.map((name, id) => ({ id, name })));

describe("SpecialNames", () => {
  it.each([
    ["a name", ["<s>"], "a<s>b", ["a", 0, "b"]],
    ["the longest of several", ["<s", "<s>"], "<s><s", [1, 0]],
    ["the first of names that overlap", ["ab", "bc"], "abc", [0, "c"]],
    ["names with characters of regular expressions", ["[/INST]", "<|a|>"], "<|a|>|[/INST]", [1, "|", 0]],
    ["no names", [], "<s>", ["<s>"]],
    ["no empty name", [""], "ab", ["ab"]],
  ])("finds %s", (_, all, text, parts) => expect([...names(...all).split(text)]).toEqual(parts));

  it.each([
    ["each name", ["<s>"], "a<s><s>", "a<.s><.s>"],
    ["names that overlap", ["ab", "ba"], "aba", "a.b.a"],
    ["a name of one character", ["!"], "a!", "a!."],
    ["a name that begins with a surrogate pair", ["🙂>"], "🙂>", "\ud83d.\ude42>"],
    ["nothing else", ["<s>"], "< s>", "< s>"],
  ])("marks %s behind its first unit", (_, all, text, marked) => expect(names(...all).marked(text, ".")).toBe(marked));

  it("does not tell names apart that may overlap in a text", () => {
    const tokens = (...all: readonly string[]) => all.map((name, id) => ({ id, name }));
    expect(SpecialNames.unlessOverlapping(tokens("ab", "bc"))).toBeUndefined();
    expect(SpecialNames.unlessOverlapping(tokens("<s>", "</s>"))).toBeDefined();
  });
});
