import { RhoneError } from "@rhone/common/rhone-error";

/** `enum ggml_type`: how a tensor's elements are stored. The numbers are those of GGUF files. */
export const GgmlType = {
  F32: 0,
  F16: 1,
  Q4_0: 2,
  Q4_1: 3,
  Q5_0: 6,
  Q5_1: 7,
  Q8_0: 8,
  Q8_1: 9,
  Q2_K: 10,
  Q3_K: 11,
  Q4_K: 12,
  Q5_K: 13,
  Q6_K: 14,
  Q8_K: 15,
  IQ2_XXS: 16,
  IQ2_XS: 17,
  IQ3_XXS: 18,
  IQ1_S: 19,
  IQ4_NL: 20,
  IQ3_S: 21,
  IQ2_S: 22,
  IQ4_XS: 23,
  I8: 24,
  I16: 25,
  I32: 26,
  I64: 27,
  F64: 28,
  IQ1_M: 29,
  BF16: 30,
  TQ1_0: 34,
  TQ2_0: 35,
  MXFP4: 39,
} as const;

export type GgmlTypeName = keyof typeof GgmlType;
export type GgmlType = (typeof GgmlType)[GgmlTypeName];

export interface GgmlTypeInfo {
  readonly name: GgmlTypeName;
  /** Elements per block; a row's length is a multiple of it. */
  readonly blockSize: number;
  /** Bytes per block. */
  readonly typeSize: number;
}

/** Elements and bytes of one block of each type; a test holds this table to the library's own. */
const BLOCKS: Readonly<Record<GgmlTypeName, readonly [blockSize: number, typeSize: number]>> = {
  F32: [1, 4],
  F16: [1, 2],
  Q4_0: [32, 18],
  Q4_1: [32, 20],
  Q5_0: [32, 22],
  Q5_1: [32, 24],
  Q8_0: [32, 34],
  Q8_1: [32, 36],
  Q2_K: [256, 84],
  Q3_K: [256, 110],
  Q4_K: [256, 144],
  Q5_K: [256, 176],
  Q6_K: [256, 210],
  Q8_K: [256, 292],
  IQ2_XXS: [256, 66],
  IQ2_XS: [256, 74],
  IQ3_XXS: [256, 98],
  IQ1_S: [256, 50],
  IQ4_NL: [32, 18],
  IQ3_S: [256, 110],
  IQ2_S: [256, 82],
  IQ4_XS: [256, 136],
  I8: [1, 1],
  I16: [1, 2],
  I32: [1, 4],
  I64: [1, 8],
  F64: [1, 8],
  IQ1_M: [256, 56],
  BF16: [1, 2],
  TQ1_0: [256, 54],
  TQ2_0: [256, 66],
  MXFP4: [32, 17],
};

const INFO = new Map<number, GgmlTypeInfo>(
  Object.entries(BLOCKS).map(([name, [blockSize, typeSize]]) => [
    GgmlType[name as GgmlTypeName],
    { name: name as GgmlTypeName, blockSize, typeSize },
  ]),
);

export const isGgmlType = (value: number): value is GgmlType => INFO.has(value);

/** Throws TENSOR_TYPE_UNSUPPORTED for a number that is not a GgmlType. */
export function typeInfo(type: number): GgmlTypeInfo {
  const info = INFO.get(type);
  if (info !== undefined) return info;
  throw new RhoneError(
    "TENSOR_TYPE_UNSUPPORTED",
    `Tensor type ${type} is unknown; known types are ${Object.keys(GgmlType).join(", ")}.`,
  );
}

/**
 * Bytes of a row of `elements`: for Q8_0, 4096 elements are 128 blocks of 34 bytes, 4352 bytes.
 * Throws TENSOR_TYPE_UNSUPPORTED when `elements` is not a multiple of the type's block.
 */
export function rowSize(type: number, elements: number): number {
  const { name, blockSize, typeSize } = typeInfo(type);
  if (elements % blockSize === 0) return (elements / blockSize) * typeSize;
  throw new RhoneError(
    "TENSOR_TYPE_UNSUPPORTED",
    `${name} stores blocks of ${blockSize} elements, so it can't hold a row of ${elements}. Choose F16 or Q8_0.`,
  );
}
