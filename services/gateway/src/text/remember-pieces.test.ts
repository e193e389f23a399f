import { expect, it, vi } from "vitest";
import { rememberPieces } from "./remember-pieces.js";

it("reads each token's bytes once, with and without the names of control tokens", () => {
  const read = vi.fn((id: number, { special }: { readonly special: boolean }) => Buffer.from(`${id} ${special}`));
  const pieceBytes = rememberPieces(read);
  for (let again = 0; again < 3; again++) {
    expect(pieceBytes(7, { special: true }).toString()).toBe("7 true");
    expect(pieceBytes(7, { special: false }).toString()).toBe("7 false");
  }
  expect(read).toHaveBeenCalledTimes(2);
});

it("a token that can't be read is asked for again", () => {
  const read = vi.fn((): Buffer => {
    throw new Error("outside the vocabulary");
  });
  const pieceBytes = rememberPieces(read);
  for (let again = 0; again < 2; again++) expect(() => pieceBytes(9, { special: true })).toThrow("outside");
});
