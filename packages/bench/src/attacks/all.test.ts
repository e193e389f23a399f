import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { ATTACKS } from "./all.js";

test("attacks have names of their own, and say what they send", () => {
  const names = ATTACKS.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const { name, description } of ATTACKS) {
    expect(name).toMatch(/^[a-z0-9.]+(-[a-z0-9.]+)*$/);
    expect(description).toMatch(/^[A-Za-z0-9].*[^.]$/);
  }
});

test.each(["docs/limits.md", "bench/README.md"])("%s says how many there are", (page) => {
  const text = readFileSync(new URL(`../../../../${page}`, import.meta.url), "utf8");
  expect(text).toContain(`${ATTACKS.length} kinds of costly requests`);
});
