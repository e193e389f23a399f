import { describe, expect, it } from "vitest";
import { apiKeyIdOf, apiKeyNameSchema, apiKeyOf, isSecretOf, newApiKey } from "./api-key.js";

const about = { name: "team", requestsPerMinute: null, tokensPerMinute: 1000 };

describe("an API key", () => {
  it("is known by its secret alone, which is kept nowhere", () => {
    const { key, secret } = newApiKey(about, 1_700_000_000_500);
    expect(secret).toMatch(/^rhone_sk_[0-9a-f]{12}_[\w-]{43}$/);
    expect(apiKeyIdOf(secret)).toBe(key.id);
    expect(isSecretOf(secret, key)).toBe(true);
    expect(JSON.stringify(key)).not.toContain(secret.slice(22));
    expect(key).toMatchObject({ ...about, createdAt: 1_700_000_000 });
  });

  it("is the same in two clusters that are given one secret", () => {
    const { key, secret } = newApiKey(about, 1_700_000_000_500);
    expect(apiKeyOf(secret, about, 1_700_000_000_500)).toEqual(key);
    expect(apiKeyOf("sk-123", about)).toBeNull();
  });

  it("is not known by another secret, nor by one that differs in a character", () => {
    const { key, secret } = newApiKey(about);
    const last = secret.endsWith("A") ? "B" : "A";
    expect(isSecretOf(secret.slice(0, -1) + last, key)).toBe(false);
    expect(isSecretOf(newApiKey(about).secret, key)).toBe(false);
  });

  it.each(["", "sk-123", "rhone_sk_", "rhone_sk_0123456789ab_short", "rhone_sk_0123456789AB_".padEnd(65, "x")])(
    "%j is no secret",
    (text) => expect(apiKeyIdOf(text)).toBeNull(),
  );

  it.each([
    ["team-1.eu_west", true],
    ["", false],
    ["-x", false],
    ["a b", false],
    ["a:b", false],
    ["x".repeat(65), false],
  ])("the name %j: %s", (name, isGood) => expect(apiKeyNameSchema.safeParse(name).success).toBe(isGood));
});
