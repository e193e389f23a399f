/** The names of GGUF's value types; a value's position in this list is its id in the file. */
export const GGUF_VALUE_TYPES = [
  "u8",
  "i8",
  "u16",
  "i16",
  "u32",
  "i32",
  "f32",
  "bool",
  "string",
  "array",
  "u64",
  "i64",
  "f64",
] as const;

export type GgufValueType = (typeof GGUF_VALUE_TYPES)[number];
export type GgufScalarType = Exclude<GgufValueType, "array">;
type SmallNumberType = "u8" | "i8" | "u16" | "i16" | "u32" | "i32" | "f32" | "f64";

/** Number arrays stay in typed arrays: they take no more memory than their bytes in the file. */
export type GgufNumberArray =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | BigUint64Array
  | BigInt64Array
  | Float64Array;

/** An array of numbers; of booleans, as 0 and 1. */
export interface GgufNumbers {
  readonly type: "array";
  readonly of: Exclude<GgufScalarType, "string">;
  readonly value: GgufNumberArray;
}

export interface GgufStrings {
  readonly type: "array";
  readonly of: "string";
  readonly value: readonly string[];
}

/** A metadata value with its type in the file, so it can be written back unchanged. */
export type GgufValue =
  | { readonly type: SmallNumberType; readonly value: number }
  | { readonly type: "u64" | "i64"; readonly value: bigint }
  | { readonly type: "bool"; readonly value: boolean }
  | { readonly type: "string"; readonly value: string }
  | GgufNumbers
  | GgufStrings;

/** Bytes of one element; for a string its length prefix, the least it can take. */
export const GGUF_SCALAR_BYTES: Readonly<Record<GgufScalarType, number>> = {
  u8: 1,
  i8: 1,
  u16: 2,
  i16: 2,
  u32: 4,
  i32: 4,
  f32: 4,
  bool: 1,
  string: 8,
  u64: 8,
  i64: 8,
  f64: 8,
};

const NUMBER_ARRAYS = {
  u8: Uint8Array,
  i8: Int8Array,
  u16: Uint16Array,
  i16: Int16Array,
  u32: Uint32Array,
  i32: Int32Array,
  f32: Float32Array,
  bool: Uint8Array,
  u64: BigUint64Array,
  i64: BigInt64Array,
  f64: Float64Array,
} as const;

/** A typed view of `bytes`, a copy of the file's bytes that the view owns. */
export function numbersFromBytes(of: GgufNumbers["of"], bytes: ArrayBuffer): GgufNumbers {
  return { type: "array", of, value: new NUMBER_ARRAYS[of](bytes) };
}

/** Short constructors for writers of GGUF files. */
export const gguf = {
  u32: (value: number): GgufValue => ({ type: "u32", value }),
  f32: (value: number): GgufValue => ({ type: "f32", value }),
  bool: (value: boolean): GgufValue => ({ type: "bool", value }),
  string: (value: string): GgufValue => ({ type: "string", value }),
  strings: (value: readonly string[]): GgufValue => ({ type: "array", of: "string", value }),
  f32s: (value: Float32Array): GgufValue => ({ type: "array", of: "f32", value }),
  i32s: (value: Int32Array): GgufValue => ({ type: "array", of: "i32", value }),
};
