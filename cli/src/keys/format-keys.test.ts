import { newApiKey } from "@rhone/common";
import { expect, test } from "vitest";
import { formatKeys, keyObject } from "./format-keys.js";

const made = (requestsPerMinute: number | null, tokensPerMinute: number | null) =>
  newApiKey({ name: "team", requestsPerMinute, tokensPerMinute }, Date.UTC(2026, 10, 25, 9, 5));

test("keys are listed with their limits", () => {
  const { key } = made(60, null);
  const lines = formatKeys([key, made(0, 2000).key]).split("\n");
  expect(lines[0]).toMatch(/^id +name +requests\/min +tokens\/min +created$/);
  expect(lines[1]).toMatch(new RegExp(`^${key.id} +team +60 +default +2026-11-25 09:05$`));
  expect(lines[2]).toMatch(/no limit +2000 /);
  expect(formatKeys([])).toContain("rhone keys create");
});

test("nothing that is shown of a key tells its secret or its digest", () => {
  const { key, secret } = made(null, null);
  const shown = JSON.stringify(keyObject(key)) + formatKeys([key]);
  expect(shown).not.toContain(secret.slice(22));
  expect(shown).not.toContain(key.digest);
});
