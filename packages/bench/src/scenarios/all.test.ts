import { expect, test } from "vitest";
import { SCENARIOS } from "./all.js";

const OPTIONS = SCENARIOS.flatMap(({ name, options }) =>
  Object.entries(options).map(([key, option]) => ({ flag: `${name} ${key}`, key, option })),
);

test("scenarios have names of their own, and say what they do", () => {
  const names = SCENARIOS.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const { description } of SCENARIOS) expect(description).toMatch(/^[A-Za-z].*[^.]$/);
});

test.each(OPTIONS)("$flag is described in words, and its default is one of its values", ({ key, option }) => {
  expect(key).toMatch(/^[a-z]+([A-Z][a-z]+)*$/); // becomes --kebab-case
  expect(option.about).toMatch(/^\S.*[^.]$/);
  if (option.kind === "whole") expect(option.initial).toBeGreaterThanOrEqual(option.least);
  if (option.kind === "decimal") expect(option.initial).toBeGreaterThanOrEqual(0);
  if (option.kind === "list") expect(option.initial.every((count) => Number.isInteger(count) && count > 0)).toBe(true);
  if (option.kind === "range") expect(option.initial[0]).toBeLessThanOrEqual(option.initial[1]);
  if (option.kind === "names") expect(option.choices).toEqual(expect.arrayContaining([...option.initial]));
  if (option.kind === "choice") expect(option.choices).toContain(option.initial);
});
