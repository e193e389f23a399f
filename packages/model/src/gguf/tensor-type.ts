import { type GgmlType, isGgmlType, rowSize, typeInfo } from "@rhone/ggml";

/** The name of a type id, for messages; `type 99` for an unknown one. */
export const tensorTypeName = (type: number): string => (isGgmlType(type) ? typeInfo(type).name : `type ${type}`);

/** Whether rows of `elements` divide into the type's blocks. */
export const dividesIntoBlocks = (type: GgmlType, elements: number): boolean =>
  elements % typeInfo(type).blockSize === 0;

/**
 * Bytes of a tensor with extents `ne`, innermost first: [4096, 2] of Q4_0 is 4096 / 32 * 18 * 2 = 4,608 bytes.
 * Throws TENSOR_TYPE_UNSUPPORTED when a row does not divide into blocks.
 */
export function tensorBytes(type: GgmlType, ne: readonly number[]): number {
  const [rowElements = 1, ...outer] = ne;
  return outer.reduce((bytes, extent) => bytes * extent, rowSize(type, rowElements));
}
