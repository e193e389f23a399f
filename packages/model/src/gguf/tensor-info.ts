import { RhoneError } from "@rhone/common/rhone-error";
import { type GgmlType, isGgmlType } from "@rhone/ggml";
import type { HeaderReader } from "./header-reader.js";
import { dividesIntoBlocks, tensorBytes, tensorTypeName } from "./tensor-type.js";

const MAX_DIMS = 4;
/** ggml keeps names in 64 bytes, the terminating zero included. */
const MAX_NAME_BYTES = 63;

/** One tensor of a file: shape, type, place. */
export interface TensorInfo {
  readonly name: string;
  /** The file that holds it, a part of a model that was split. */
  readonly path: string;
  readonly type: GgmlType;
  /** One to four extents, innermost first (ggml's `ne`): a weight of logical shape [out, in] is [in, out]. */
  readonly ne: readonly number[];
  /** Position of its first byte in the file. */
  readonly offset: number;
  readonly bytes: number;
}

interface UnplacedTensor extends Omit<TensorInfo, "path" | "offset"> {
  /** From the start of the tensor data. */
  readonly relativeOffset: number;
}

/**
 * Reads the tensor table at the reader's position. Checks names, types, extents, and that tensors fit and do not
 * overlap.
 */
export function readTensorInfos(
  reader: HeaderReader,
  table: { readonly count: number; readonly alignment: number },
): Map<string, TensorInfo> {
  const unplaced = new Map<string, UnplacedTensor>();
  for (let index = 0; index < table.count; index++) {
    const start = reader.offset;
    const tensor = readTensorInfo(reader, index, table.alignment);
    if (unplaced.has(tensor.name)) throw reader.malformed(`the tensor ${tensor.name} appears twice`, start);
    unplaced.set(tensor.name, tensor);
  }
  const dataStart = Math.ceil(reader.offset / table.alignment) * table.alignment;
  const tensors = new Map<string, TensorInfo>();
  for (const { relativeOffset, ...tensor } of unplaced.values()) {
    tensors.set(tensor.name, { ...tensor, path: reader.path, offset: dataStart + relativeOffset });
  }
  checkPlacement(reader, [...tensors.values()]);
  return tensors;
}

function readTensorInfo(reader: HeaderReader, index: number, alignment: number): UnplacedTensor {
  const start = reader.offset;
  const name = reader.string(`the name of tensor ${index}`);
  if (name === "" || Buffer.byteLength(name) > MAX_NAME_BYTES) {
    throw reader.malformed(
      `the name of tensor ${index} has ${Buffer.byteLength(name)} bytes, not 1 to ${MAX_NAME_BYTES}`,
      start,
    );
  }
  const ne = readExtents(reader, name);
  const type = readType(reader, name);
  const rowElements = ne[0] ?? 0;
  if (!dividesIntoBlocks(type, rowElements)) {
    throw reader.malformed(
      `tensor ${name}: rows of ${rowElements} elements do not divide into ${tensorTypeName(type)} blocks`,
    );
  }
  const bytes = tensorBytes(type, ne);
  const offset = reader.u64(`the offset of tensor ${name}`);
  if (offset > BigInt(Number.MAX_SAFE_INTEGER))
    throw reader.malformed(`tensor ${name} has the impossible offset ${offset}`);
  if (Number(offset) % alignment !== 0) {
    throw reader.malformed(`tensor ${name} has offset ${offset}, not a multiple of the alignment ${alignment}`);
  }
  return { name, type, ne, bytes, relativeOffset: Number(offset) };
}

function readExtents(reader: HeaderReader, name: string): number[] {
  const start = reader.offset;
  const nDims = reader.u32(`the number of dimensions of tensor ${name}`);
  if (nDims < 1 || nDims > MAX_DIMS) {
    throw reader.malformed(`tensor ${name} has ${nDims} dimensions, not 1 to ${MAX_DIMS}`, start);
  }
  const ne: number[] = [];
  let elements = 1n;
  for (let dim = 0; dim < nDims; dim++) {
    const extent = reader.u64(`dimension ${dim} of tensor ${name}`);
    if (extent === 0n) throw reader.malformed(`dimension ${dim} of tensor ${name} is 0`, start);
    elements *= extent;
    // 16 bytes is the widest element of any type, so below this bound every size is an exact number.
    if (elements > BigInt(Number.MAX_SAFE_INTEGER) / 16n) {
      throw reader.malformed(`tensor ${name} has ${elements} or more elements, which no file can hold`, start);
    }
    ne.push(Number(extent));
  }
  return ne;
}

function readType(reader: HeaderReader, name: string): GgmlType {
  const start = reader.offset;
  const type = reader.u32(`the type of tensor ${name}`);
  if (!isGgmlType(type)) throw reader.malformed(`tensor ${name} has the unknown type ${type}`, start);
  return type;
}

function checkPlacement(reader: HeaderReader, tensors: TensorInfo[]): void {
  const inOrder = tensors.toSorted((a, b) => a.offset - b.offset);
  let previous: TensorInfo | undefined;
  for (const tensor of inOrder) {
    if (previous !== undefined && tensor.offset < previous.offset + previous.bytes) {
      throw reader.malformed(
        `tensor ${tensor.name} overlaps ${previous.name}, which ends at byte ${previous.offset + previous.bytes}`,
        tensor.offset,
      );
    }
    if (tensor.offset + tensor.bytes > reader.fileBytes) {
      throw new RhoneError(
        "GGUF_TRUNCATED",
        `${reader.path}: tensor ${tensor.name} takes bytes ${tensor.offset} to ${tensor.offset + tensor.bytes}, but the ` +
          `file has only ${reader.fileBytes}; fetch the file again.`,
      );
    }
    previous = tensor;
  }
}
