import { expect, it } from "vitest";
import { HeldText } from "./held-text.js";

it.each([0, 1, 63, 64, 65, 1000])("is the text of %d pieces, whenever it is read", (count) => {
  const pieces = Array.from({ length: count }, (_, i) => (i % 5 === 0 ? "" : `é${i}`));
  const text = new HeldText();
  for (const [i, piece] of pieces.entries()) {
    text.push(piece);
    if (i % 50 === 0) expect(`${text}`).toBe(pieces.slice(0, i + 1).join(""));
  }
  expect(`${text}`).toBe(pieces.join(""));
});
