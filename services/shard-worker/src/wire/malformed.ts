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

/** float32 little-endian numbers, copied as above; each must be finite. */
export function readFloats(bytes: Uint8Array | null | undefined, field: string): Float32Array {
  if (bytes == null) return new Float32Array();
  if (bytes.byteLength % 4 !== 0) refuse(field, `holds ${bytes.byteLength} bytes; numbers take 4 each`);
  const values = new Float32Array(new Uint8Array(bytes).buffer);
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (!(Math.abs(value) <= MOST_F32)) inRange(value, `${field}[${i}]`);
  }
  return values;
}

export function checkTokens(tokens: ArrayLike<number>, field: string, vocabSize: number): void {
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i] ?? 0;
    // The field is named only for a bad token: there may be 131,072 good ones.
    if (token < 0 || token >= vocabSize) checkToken(token, `${field}[${i}]`, vocabSize);
  }
}

export function checkToken(token: number, field: string, vocabSize: number): void {
  if (token >= 0 && token < vocabSize) return;
  refuse(field, `is token ${token}; the vocabulary has ${vocabSize}, from 0 to ${vocabSize - 1}`);
}
