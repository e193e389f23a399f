const MOST_I32 = 0x7fffffff;
const MOST_F32 = (2 - 2 ** -23) * 2 ** 127;

/** What is added to the logits of some tokens: value i to the logit of token i. */
interface TokenBiases {
  readonly tokens: Int32Array;
  readonly values: Float32Array;
}

/**
 * Biases as a job holds them: base64 of int32 [n] token ids, then f32 [n] values, little-endian, the byte order of
 * every platform that Node runs on. "" = none. 131,072 pairs as JSON take 15 ms to read and check, packed 1 ms.
 */
export function packBias({ tokens, values }: TokenBiases): string {
  return Buffer.concat([bytesOf(tokens), bytesOf(values)]).toString("base64");
}

/** The biases' bytes as the wire has them: int32 [n] and f32 [n], little-endian. */
export function biasBytes(packed: string): { readonly tokens: Buffer; readonly values: Buffer } {
  const bytes = Buffer.from(packed, "base64");
  const half = bytes.length >> 1;
  return { tokens: bytes.subarray(0, half), values: bytes.subarray(half) };
}

/** A copy. */
export function unpackBias(packed: string): TokenBiases {
  const { tokens, values } = biasBytes(packed);
  // The bytes need not be aligned.
  return {
    tokens: new Int32Array(new Uint8Array(tokens).buffer),
    values: new Float32Array(new Uint8Array(values).buffer),
  };
}

/** Whether these are biases by `packBias` with ids from 0 on and finite values. */
export function isPackedBias(packed: unknown): boolean {
  if (packed === "") return true;
  if (typeof packed !== "string" || packed.length % 4 !== 0 || Buffer.byteLength(packed, "base64") % 8 !== 0)
    return false;
  const { tokens, values } = unpackBias(packed);
  return isWithin(tokens, 0, MOST_I32) && isWithin(values, -MOST_F32, MOST_F32);
}

/** A loop, which takes a tenth of what `every` takes. */
function isWithin(list: Int32Array | Float32Array, least: number, most: number): boolean {
  for (let i = 0; i < list.length; i++) {
    const value = list[i] as number;
    if (!(value >= least && value <= most)) return false;
  }
  return true;
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);
