import { describe, expect, it } from "vitest";
import { allowedOf } from "../testing/random-text.js";
import { regexTextGrammar } from "../text-grammars.js";

describe("repetitions of repetitions", () => {
  it.each([
    ["(a{1,16}){1,16}", "a{1,256}"],
    ["((?:[a-z]{1,8}){1,8}){0,8}", "[a-z]{0,512}"],
    ["((a+)+)+", "a+"],
    ["((a*)?)*", "a*"],
    ["(a{2,3}){2,4}", "a{4,12}"],
    ["(a{3}){170}", "a{510}"],
    ["(a?){512}", "a{0,512}"],
    ["(a{2,}){3}", "a{6,}"],
  ])("%s is %s", (nested, flat) => expect(regexTextGrammar(nested)).toBe(regexTextGrammar(flat)));

  it.each([
    "(a{3}){1,2}",
    "(a{2,})?",
    "(a{2})*",
    "(a{3,4}){1,2}",
    "(a{2,3})*",
    "(a{2}){1,2}",
    "(a{0}){2,3}",
    "(a+){0}",
  ])("%s allows what JavaScript matches", async (pattern) => {
    const texts = Array.from({ length: 14 }, (_, length) => "a".repeat(length));
    const matching = texts.filter((text) => new RegExp(`^(?:${pattern})$`).test(text));
    expect(await allowedOf(regexTextGrammar(pattern), texts)).toEqual(matching);
  });

  it.each([
    ["(a{1,512}){1,512}", "a up to 262144"],
    ["((([a-z]{1,50}){1,50})){1,50}", "[a-z] up to 2500"],
    ["(\\d{0,3}){513}", "\\d up to 1539"],
  ])("%s is refused at once, with the numbers", (pattern, what) => {
    expect(() => regexTextGrammar(pattern)).toThrow(
      expect.objectContaining({
        code: "INVALID_REQUEST",
        message: `repeats ${what} times by repetitions of repetitions; 512 can be enforced`,
      }),
    );
  });

  it("may be longer where there is one way to read them", () => {
    for (const pattern of ["(\\d{4}){200}", "(?:[a-z]{1,63}-){1,60}"])
      expect(() => regexTextGrammar(pattern)).not.toThrow();
  });
});
