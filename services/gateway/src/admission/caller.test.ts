import { newApiKey } from "@rhone/common";
import { describe, expect, it } from "vitest";
import { anonymous, callerOf, isOwnedBy, owned } from "./caller.js";

const defaults = { requests: 10, tokens: null };
const keyWith = (requestsPerMinute: number | null, tokensPerMinute: number | null) =>
  newApiKey({ name: "team", requestsPerMinute, tokensPerMinute }).key;

describe("a caller", () => {
  it.each<[number | null, number | null, object]>([
    [null, null, { requests: 10, tokens: null }],
    [5, 100, { requests: 5, tokens: 100 }],
    [0, 0, { requests: null, tokens: null }],
    [20, null, { requests: 20, tokens: null }],
  ])("whose key has limits of %s and %s has %j", (requests, tokens, limits) => {
    expect(callerOf(keyWith(requests, tokens), defaults)).toEqual({ owner: "team", limits, isAdmin: false });
  });

  it("without a key has the defaults and no name", () => {
    expect(anonymous(defaults)).toEqual({ owner: "", limits: defaults, isAdmin: false });
  });

  it("is an admin by a key that was made so", () => {
    const { key } = newApiKey({ name: "boss", requestsPerMinute: null, tokensPerMinute: null, isAdmin: true });
    expect(callerOf(key, defaults)).toMatchObject({ owner: "boss", isAdmin: true });
  });
});

describe("a thing", () => {
  it.each([
    ["team", { owner: "team" }, true],
    ["team", { owner: "other" }, false],
    ["team", {}, false],
    ["", {}, true],
    ["", { owner: "" }, true],
    ["", { owner: "team" }, false],
  ])("is %j's if its record says %j: %s", (owner, thing, isOwn) => {
    expect(isOwnedBy(owner, thing)).toBe(isOwn);
  });

  it("of somebody else does not exist", () => {
    const file = { id: "file-1", owner: "other" };
    const missing = { code: "NOT_FOUND", message: "There is no file file-1." };
    expect(() => owned("team", "file", file)).toThrow(expect.objectContaining(missing));
    expect(owned("other", "file", file)).toBe(file);
  });
});
