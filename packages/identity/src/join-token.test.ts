import { describe, expect, it } from "vitest";
import { formatToken, newSecret, newTokenId, parseToken } from "./join-token.js";

const token = { authority: "ab".repeat(32), id: newTokenId(), secret: newSecret() };

describe("a token", () => {
  it("is read as it was written, with blanks around it", () => {
    const text = formatToken(token);
    expect(text).toHaveLength(103);
    expect(parseToken(` ${text}\n`)).toEqual(token);
  });

  it.each([
    ["a part of one", formatToken(token).slice(0, 80)],
    ["one of another form", formatToken(token).replace("rhone1", "rhone2")],
    ["nothing", ""],
  ])("is refused when it is %s, and not repeated", (_, text) => {
    expect(() => parseToken(text)).toThrow(expect.objectContaining({ code: "TOKEN_UNKNOWN" }));
    expect(() => parseToken(text)).toThrow(/copy the whole of it/);
    expect(() => parseToken(text)).not.toThrow(token.secret.slice(0, 20));
  });
});
