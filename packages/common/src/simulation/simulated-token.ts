/** Control and byte tokens of SentencePiece vocabularies, never drawn: each drawn token has text and none is an end. */
const RESERVED = 259;

/**
 * The rule of simulated stages: the token that follows `token` at `position` in a vocabulary of `vocabSize`. It depends
 * on nothing else, so a test that knows a prompt's last token and length knows the whole answer.
 */
export function simulatedToken(token: number, position: number, vocabSize: number): number {
  const first = Math.min(RESERVED, vocabSize - 1);
  let hash = Math.imul(token ^ 0x9e3779b9, 0x85ebca6b) ^ position;
  hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2ae35);
  return first + (((hash ^ (hash >>> 13)) >>> 0) % (vocabSize - first));
}

/** The rows of a span at the last stage. The last `drafts` rows hold guesses at the tokens that earlier rows draw. */
export interface SimulatedSpan {
  readonly tokens: Int32Array;
  /** The position of the first row. */
  readonly position: number;
  readonly drafts: number;
}

/** The tokens that a simulated last stage draws: one, and one more for each right guess. */
export function simulatedDraw({ tokens, position, drafts }: SimulatedSpan, vocabSize: number): readonly number[] {
  const drawn: number[] = [];
  for (let row = tokens.length - 1 - drafts; row < tokens.length; row++) {
    const token = simulatedToken(tokens[row] ?? 0, position + row, vocabSize);
    drawn.push(token);
    if (tokens[row + 1] !== token) break;
  }
  return drawn;
}

/** The first `count` tokens that simulated stages generate after a prompt. */
export function simulatedTokens(prompt: readonly number[], count: number, vocabSize: number): readonly number[] {
  const tokens: number[] = [];
  let token = prompt.at(-1) ?? 0;
  for (let index = 0; index < count; index++) {
    token = simulatedToken(token, prompt.length + index - 1, vocabSize);
    tokens.push(token);
  }
  return tokens;
}
