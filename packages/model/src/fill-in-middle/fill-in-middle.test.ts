import { expect, test } from "vitest";
import { fillInMiddleFor } from "./fill-in-middle.js";

const CONTROL = ["<unk>", "<s>", "</s>", "[PREFIX]", "[SUFFIX]"];

/** One id per character above the control tokens', with SentencePiece's mark in front of every tokenized text. */
const vocabulary = (control: readonly string[]) => ({
  bos: 1,
  isControl: (id: number) => id < 1000,
  tokenize: (text: string, { parseSpecial }: { readonly parseSpecial: boolean }) => {
    const id = control.indexOf(text);
    if (parseSpecial && id !== -1) return Int32Array.of(id);
    return Int32Array.from(`▁${text}`, (letter) => 1000 + (letter.codePointAt(0) ?? 0));
  },
});

const spell = (ids: readonly number[] | undefined) =>
  ids?.map((id) => (id < 1000 ? CONTROL[id] : String.fromCodePoint(id - 1000))).join("");

test("what follows a gap comes first, without a space of its own", () => {
  const fill = fillInMiddleFor(vocabulary(CONTROL));
  expect(fill?.(["def f(", ""], "):\n").map(spell)).toEqual([
    "<s>[SUFFIX]):\n[PREFIX]▁def f(",
    "<s>[SUFFIX]):\n[PREFIX]",
  ]);
  expect(fill?.(["def f("], "").map(spell)).toEqual(["<s>[SUFFIX][PREFIX]▁def f("]);
});

test("a vocabulary without the two tokens can't", () => {
  expect(fillInMiddleFor(vocabulary(CONTROL.slice(0, 4)))).toBeUndefined();
});
