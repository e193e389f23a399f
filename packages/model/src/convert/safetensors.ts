import { type FileHandle, open } from "node:fs/promises";
import { RhoneError } from "@rhone/common/rhone-error";
import { isJsonObject } from "./json-file.js";

/** The number formats that models are published in. */
export type CheckpointDtype = "F32" | "F16" | "BF16";

/** One tensor of a safetensors file. */
export interface CheckpointTensor {
  readonly name: string;
  readonly path: string;
  readonly dtype: CheckpointDtype;
  /** Logical, outermost first: a matrix is [out, in]. */
  readonly shape: readonly number[];
  /** Position of its first byte in the file. */
  readonly offset: number;
  readonly bytes: number;
}

const DTYPE_BYTES: Readonly<Record<CheckpointDtype, number>> = { F32: 4, F16: 2, BF16: 2 };
/** The format's own limit. */
const MAX_HEADER_BYTES = 100_000_000;

export const dtypeBytes = (dtype: CheckpointDtype): number => DTYPE_BYTES[dtype];

/**
 * Reads the header of a safetensors file. Throws CHECKPOINT_MALFORMED naming the file and the fault (sizes beyond the
 * file, gaps, overlaps, shapes that contradict the bytes), TENSOR_TYPE_UNSUPPORTED for other number formats.
 */
export async function readSafetensorsHeader(path: string): Promise<ReadonlyMap<string, CheckpointTensor>> {
  const handle = await open(path, "r").catch((cause: unknown) => {
    throw malformed(path, `cannot be opened: ${(cause as Error).message}`);
  });
  try {
    const { size } = await handle.stat();
    const headerBytes = await readHeaderLength(path, handle, size);
    const json = await readExactly(path, handle, { position: 8, length: headerBytes });
    const tensors = parseHeader(path, json, 8 + headerBytes);
    checkCoverage(path, [...tensors.values()], { dataStart: 8 + headerBytes, fileBytes: size });
    return tensors;
  } finally {
    await handle.close();
  }
}

async function readHeaderLength(path: string, handle: FileHandle, fileBytes: number): Promise<number> {
  if (fileBytes < 8) throw malformed(path, `has only ${fileBytes} bytes`);
  const length = (await readExactly(path, handle, { position: 0, length: 8 })).readBigUInt64LE();
  const most = Math.min(MAX_HEADER_BYTES, fileBytes - 8);
  if (length > BigInt(most))
    throw malformed(path, `its header claims ${length} bytes, but at most ${most} are possible`);
  return Number(length);
}

async function readExactly(
  path: string,
  handle: FileHandle,
  { position, length }: { readonly position: number; readonly length: number },
): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(bytes, done, length - done, position + done);
    if (bytesRead === 0) throw malformed(path, `ends at byte ${position + done}`);
    done += bytesRead;
  }
  return bytes;
}

function parseHeader(path: string, json: Buffer, dataStart: number): Map<string, CheckpointTensor> {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(json));
  } catch (cause) {
    throw malformed(path, `its header is not JSON: ${(cause as Error).message}`);
  }
  if (!isJsonObject(header)) throw malformed(path, "its header is not a JSON object");
  const tensors = new Map<string, CheckpointTensor>();
  for (const [name, entry] of Object.entries(header)) {
    if (name !== "__metadata__") tensors.set(name, parseEntry(path, { name, entry, dataStart }));
  }
  return tensors;
}

function parseEntry(
  path: string,
  { name, entry, dataStart }: { readonly name: string; readonly entry: unknown; readonly dataStart: number },
): CheckpointTensor {
  const { dtype, shape, data_offsets: range } = isJsonObject(entry) ? entry : {};
  if (!isCounts(shape) || !isCounts(range) || range.length !== 2 || typeof dtype !== "string") {
    throw malformed(path, `the entry of ${name} is not {dtype, shape, data_offsets}`);
  }
  if (!isDtype(dtype)) {
    throw new RhoneError(
      "TENSOR_TYPE_UNSUPPORTED",
      `${path}: ${name} is stored as ${dtype}; F32, F16 and BF16 checkpoints can be converted.`,
    );
  }
  const [begin = 0, end = 0] = range;
  const needed = shape.reduce((product, extent) => product * extent, DTYPE_BYTES[dtype]);
  if (end - begin !== needed) {
    throw malformed(path, `${name} of shape [${shape.join(", ")}] needs ${needed} bytes, but has ${end - begin}`);
  }
  return { name, path, dtype, shape, offset: dataStart + begin, bytes: needed };
}

function checkCoverage(
  path: string,
  tensors: readonly CheckpointTensor[],
  file: { readonly dataStart: number; readonly fileBytes: number },
): void {
  let position = file.dataStart;
  for (const tensor of tensors.toSorted((a, b) => a.offset - b.offset || a.bytes - b.bytes)) {
    if (tensor.offset !== position) {
      throw malformed(
        path,
        `${tensor.name} starts at byte ${tensor.offset}, but the tensor before it ends at ${position}`,
      );
    }
    position += tensor.bytes;
  }
  if (position !== file.fileBytes) {
    throw malformed(path, `its tensors end at byte ${position}, but the file has ${file.fileBytes}; fetch it again`);
  }
}

const isCounts = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((entry) => Number.isSafeInteger(entry) && entry >= 0);

const isDtype = (dtype: string): dtype is CheckpointDtype => Object.hasOwn(DTYPE_BYTES, dtype);

const malformed = (path: string, problem: string): RhoneError =>
  new RhoneError("CHECKPOINT_MALFORMED", `${path}: ${problem}.`);
