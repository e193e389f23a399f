import { GrammarEngine } from "../engine/grammar-engine.js";
import type { GrammarVocabulary } from "../engine/grammar-vocabulary.js";
import { type Dice, diceOf } from "./random-schema.js";

const PIECES = [
  '": ',
  '", "',
  '{"',
  '"}',
  "}}",
  "]]",
  '",',
  "ab",
  "12",
  "é",
  "日",
  "ité",
  '\\"',
  "null",
  " {",
  "0.",
  "-1",
];

/** Every byte, so that a text may go wrong anywhere, and pieces that span the parts of JSON. Token 0 ends. */
const vocabulary: GrammarVocabulary = {
  size: 257 + PIECES.length,
  pieces: [
    new Uint8Array(),
    ...Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte)),
    ...PIECES.map((piece) => new TextEncoder().encode(piece)),
  ],
  endTokens: [0],
};
const engine = new GrammarEngine(vocabulary);

/** A text of tokens drawn evenly from those allowed. Throws unless it is UTF-8 and ends within `tokens` tokens. */
export async function randomText(grammar: string, dice: Dice, tokens = 4000): Promise<string> {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(await randomBytes(grammar, dice, tokens));
}

/** `count` random texts of the grammar, from a seed. */
export async function randomTexts(grammar: string, count = 60, seed = 11): Promise<readonly string[]> {
  const dice = diceOf(seed);
  const written: string[] = [];
  for (let i = 0; i < count; i++) written.push(await randomText(grammar, dice));
  return written;
}

/** Those of `texts` that the grammar allows. */
export async function allowedOf(grammar: string, texts: readonly string[]): Promise<readonly string[]> {
  const verdicts = await Promise.all(texts.map((text) => allows(grammar, text)));
  return texts.filter((_, i) => verdicts[i]);
}

/** Like randomText, for grammars that also allow bytes that are not characters. */
export async function randomBytes(grammar: string, dice: Dice, tokens = 4000): Promise<Uint8Array> {
  const matcher = await engine.match({ grammar });
  const bytes: number[] = [];
  try {
    for (let step = 0; step < tokens; step++) {
      const logits = new Float32Array(vocabulary.size);
      matcher.mask(logits);
      const open = [...logits.keys()].filter((token) => logits[token] === 0);
      const token = open[dice(open.length)] ?? 0;
      matcher.accept(token);
      if (token === 0) return Uint8Array.from(bytes);
      bytes.push(...(vocabulary.pieces[token] ?? []));
    }
  } finally {
    matcher.close();
  }
  throw new Error(`no end after ${tokens} tokens: ${Buffer.from(bytes).toString().slice(0, 200)}`);
}

/** Whether the grammar allows exactly this text. */
export async function allows(grammar: string, text: string): Promise<boolean> {
  const matcher = await engine.match({ grammar });
  try {
    for (const token of [...Array.from(Buffer.from(text), (byte) => byte + 1), 0]) {
      const logits = new Float32Array(vocabulary.size);
      matcher.mask(logits);
      if (logits[token] !== 0) return false;
      matcher.accept(token);
    }
    return true;
  } finally {
    matcher.close();
  }
}
