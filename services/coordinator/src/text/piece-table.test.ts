import { describe, expect, it, vi } from "vitest";
import { PieceTable } from "./piece-table.js";

const bytesOf: Readonly<Record<number, Uint8Array>> = {
  1: Buffer.from("a"),
  2: Uint8Array.of(0xf0, 0x9f),
  3: Buffer.from("\ufeffx"),
  4: new Uint8Array(),
};

describe("PieceTable", () => {
  const pieceBytes = vi.fn((token: number, { special }: { readonly special: boolean }) =>
    special && token === 4 ? Buffer.from("</s>") : (bytesOf[token] ?? new Uint8Array()),
  );
  const table = new PieceTable({ pieceBytes });

  it.each([
    [1, "a", "a whole character"],
    [2, null, "half of an emoji"],
    [3, "\ufeffx", "a byte order mark is text"],
    [4, "", "a control token"],
  ])("token %i is %j: %s", (token, text, _why) => expect(table.piece(token, false).text).toBe(text));

  it("keeps the names of control tokens apart from their plain text", () => {
    expect([table.piece(4, true).text, table.piece(4, false).text]).toEqual(["</s>", ""]);
  });

  it("asks for each piece once", () => {
    pieceBytes.mockClear();
    for (const special of [true, false, true, false]) table.piece(9, special);
    expect(pieceBytes).toHaveBeenCalledTimes(2);
  });
});
