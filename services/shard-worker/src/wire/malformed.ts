import { RhoneError } from "@rhone/common";

/** Refuses a message. `field` is its path, "step.spans[2].count"; `problem` ends the sentence that it begins. */
export function refuse(field: string, problem: string): never {
  throw new RhoneError("MESSAGE_MALFORMED", `${field} ${problem}.`);
}

/** The smallest positive f32. */
export const LEAST_F32 = 2 ** -149;
const MOST_F32 = (2 - 2 ** -23) * 2 ** 127;

/** `value`, if it is finite and in [least, most]. */
export function inRange(
  value: number,
  field: string,
  { least = -MOST_F32, most = MOST_F32 }: { readonly least?: number; readonly most?: number } = {},
): number {
  if (value >= least && value <= most) return value;
  return refuse(field, `is ${value}; it must be from ${least} to ${most}`);
}

/** int32 little-endian token ids, copied: the message's bytes need not be aligned. */
export function readTokens(bytes: Uint8Array | null | undefined, field: string, vocabSize: number): Int32Array {
  if (bytes == null) return new Int32Array();
  if (bytes.byteLength % 4 !== 0) refuse(field, `holds ${bytes.byteLength} bytes; token ids take 4 each`);
  const tokens = new Int32Array(new Uint8Array(bytes).buffer);
  checkTokens(tokens, field, vocabSize);
  return tokens;
}

export function checkTokens(tokens: Iterable<number>, field: string, vocabSize: number): void {
  let i = 0;
  for (const token of tokens) {
    if (token < 0 || token >= vocabSize) checkToken(token, `${field}[${i}]`, vocabSize);
    i++;
  }
}

export function checkToken(token: number, field: string, vocabSize: number): void {
  if (token >= 0 && token < vocabSize) return;
  refuse(field, `is token ${token}; the vocabulary has ${vocabSize}, from 0 to ${vocabSize - 1}`);
}
