/** How one ggml tensor type packs its numbers: rows are cut into runs of `blockSize` elements of `blockBytes` bytes each. */
export interface TensorType {
  /** ggml's type id, as stored in the file. */
  readonly id: number;
  /** ggml's name, such as `q4_0` or `q4_K`. */
  readonly name: string;
  readonly blockSize: number;
  readonly blockBytes: number;
}

const type = (id: number, name: string, blockSize: number, blockBytes: number): TensorType => ({
  id,
  name,
  blockSize,
  blockBytes,
});

/** Every type that ggml's header (ggml.h, ggml-common.h) defines today; ids 4, 5, 31–33 and 36–38 were removed from the format. */
const TENSOR_TYPES: readonly TensorType[] = [
  type(0, "f32", 1, 4),
  type(1, "f16", 1, 2),
  type(2, "q4_0", 32, 18),
  type(3, "q4_1", 32, 20),
  type(6, "q5_0", 32, 22),
  type(7, "q5_1", 32, 24),
  type(8, "q8_0", 32, 34),
  type(9, "q8_1", 32, 36),
  type(10, "q2_K", 256, 84),
  type(11, "q3_K", 256, 110),
  type(12, "q4_K", 256, 144),
  type(13, "q5_K", 256, 176),
  type(14, "q6_K", 256, 210),
  type(15, "q8_K", 256, 292),
  type(16, "iq2_xxs", 256, 66),
  type(17, "iq2_xs", 256, 74),
  type(18, "iq3_xxs", 256, 98),
  type(19, "iq1_s", 256, 50),
  type(20, "iq4_nl", 32, 18),
  type(21, "iq3_s", 256, 110),
  type(22, "iq2_s", 256, 82),
  type(23, "iq4_xs", 256, 136),
  type(24, "i8", 1, 1),
  type(25, "i16", 1, 2),
  type(26, "i32", 1, 4),
  type(27, "i64", 1, 8),
  type(28, "f64", 1, 8),
  type(29, "iq1_m", 256, 56),
  type(30, "bf16", 1, 2),
  type(34, "tq1_0", 256, 54),
  type(35, "tq2_0", 256, 66),
  type(39, "mxfp4", 32, 17),
  type(40, "nvfp4", 64, 36),
  type(41, "q1_0", 128, 18),
  type(42, "q2_0", 64, 18),
];

const BY_ID: ReadonlyMap<number, TensorType> = new Map(TENSOR_TYPES.map((entry) => [entry.id, entry]));
const BY_NAME: ReadonlyMap<string, TensorType> = new Map(
  TENSOR_TYPES.map((entry) => [entry.name.toLowerCase(), entry]),
);

/** The type with ggml's id, or undefined when the file format does not know it. */
export const tensorTypeById = (id: number): TensorType | undefined => BY_ID.get(id);

/** The type by ggml's name in any case (`q4_k` and `Q4_K` both work), or undefined. */
export const tensorTypeByName = (name: string): TensorType | undefined => BY_NAME.get(name.toLowerCase());

/** ggml's name of a type id; `type 99` for one that is unknown, so that messages can always be printed. */
export const tensorTypeName = (id: number): string => BY_ID.get(id)?.name ?? `type ${id}`;

/**
 * Bytes of a tensor of `ne` elements (innermost dimension first). The caller has checked that `ne[0]` is a multiple of
 * the block size: [4096, 2] of q4_0 is 4096 / 32 * 18 * 2 = 4,608 bytes.
 */
export function tensorBytes(tensorType: TensorType, ne: readonly number[]): number {
  const elements = ne.reduce((product, extent) => product * extent, 1);
  return (elements / tensorType.blockSize) * tensorType.blockBytes;
}
