import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { RhoneError } from "@rhone/common/rhone-error";
import {
  GGUF_SCALAR_BYTES,
  GGUF_VALUE_TYPES,
  type GgufScalarType,
  type GgufValue,
  numbersFromBytes,
} from "./gguf-value.js";
import { HeaderReader } from "./header-reader.js";
import { readTensorInfos, type TensorInfo } from "./tensor-info.js";

const MAGIC = 0x46554747; // "GGUF", little-endian
const DEFAULT_ALIGNMENT = 32;
/** The smallest key-value pair: an empty key's length, the type, one byte. */
const LEAST_PAIR_BYTES = 13;
/** The smallest tensor entry: name length, dimension count, one dimension, type, offset. */
const LEAST_TENSOR_BYTES = 32;

/** One file of a model. */
export interface GgufPart {
  readonly path: string;
  readonly bytes: number;
  /** Everything before its tensor data. */
  readonly headerBytes: number;
}

/** The header of a GGUF file. Holds no file open; tensor data stays on disk. */
export interface GgufFile {
  /** Of a model that was split, the first part. */
  readonly path: string;
  /** The files that hold it, in order; one unless it was split. */
  readonly parts: readonly GgufPart[];
  /** Of all parts. */
  readonly fileBytes: number;
  readonly version: number;
  /** Tensor data starts at multiples of this many bytes. */
  readonly alignment: number;
  /** In file order. */
  readonly metadata: ReadonlyMap<string, GgufValue>;
  /** In file order. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /**
   * SHA-256 (hex) of all bytes before the tensor data, or of the fingerprints of its parts: tells models apart without
   * reading gigabytes.
   */
  readonly headerFingerprint: string;
}

/**
 * Reads the header of a little-endian GGUF v2 or v3 file, one part if it was split, and nothing else of it. Throws
 * MODEL_NOT_FOUND when the file cannot be opened, GGUF_TRUNCATED when it ends inside the header or the tensor data,
 * GGUF_MALFORMED for anything that the format forbids; messages name the file, the byte and the numbers.
 */
export async function readGgufFile(path: string): Promise<GgufFile> {
  const handle = await openForReading(path);
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) throw new RhoneError("GGUF_MALFORMED", `${path}: not a file`);
    return await readHeader(new HeaderReader({ path, fd: handle.fd, fileBytes: stat.size }), handle);
  } finally {
    await handle.close();
  }
}

async function openForReading(path: string): Promise<FileHandle> {
  try {
    return await open(path, "r");
  } catch (cause) {
    throw new RhoneError("MODEL_NOT_FOUND", `${path}: cannot be opened: ${(cause as Error).message}`, { cause });
  }
}

async function readHeader(reader: HeaderReader, handle: FileHandle): Promise<GgufFile> {
  const version = readVersion(reader);
  const nTensors = reader.count("the number of tensors", LEAST_TENSOR_BYTES);
  const nPairs = reader.count("the number of metadata pairs", LEAST_PAIR_BYTES);
  const metadata = readMetadata(reader, nPairs);
  const alignment = readAlignment(reader, metadata);
  const tensors = readTensorInfos(reader, { count: nTensors, alignment });
  const headerBytes = Math.min(Math.ceil(reader.offset / alignment) * alignment, reader.fileBytes);
  return {
    path: reader.path,
    parts: [{ path: reader.path, bytes: reader.fileBytes, headerBytes }],
    fileBytes: reader.fileBytes,
    version,
    alignment,
    metadata,
    tensors,
    headerFingerprint: await fingerprint(handle, headerBytes),
  };
}

function readVersion(reader: HeaderReader): number {
  const magic = reader.u32("the magic number");
  if (magic !== MAGIC) {
    const seen = magic.toString(16).padStart(8, "0");
    throw reader.malformed(`the file does not start with "GGUF" (0x${seen}); it is not a GGUF file`, 0);
  }
  const version = reader.u32("the version");
  if (version > 0 && (version & 0xffff) === 0) {
    throw reader.malformed("the file is big-endian; only little-endian files are read", 4);
  }
  if (version !== 2 && version !== 3) throw reader.malformed(`GGUF version ${version}; versions 2 and 3 are read`, 4);
  return version;
}

function readMetadata(reader: HeaderReader, count: number): Map<string, GgufValue> {
  const metadata = new Map<string, GgufValue>();
  for (let index = 0; index < count; index++) {
    const start = reader.offset;
    const key = reader.string(`the key of metadata pair ${index}`);
    if (key === "") throw reader.malformed(`the key of metadata pair ${index} is empty`, start);
    if (metadata.has(key)) throw reader.malformed(`the metadata key ${quote(key)} appears twice`, start);
    metadata.set(key, readValue(reader, key));
  }
  return metadata;
}

function readValue(reader: HeaderReader, key: string): GgufValue {
  const what = `the value of ${quote(key)}`;
  const type = readValueType(reader, what);
  if (type !== "array") return readScalar(reader, type, what);
  const of = readValueType(reader, `the element type of ${quote(key)}`);
  if (of === "array") throw reader.malformed(`${what} is an array of arrays, which the format does not define`);
  const count = reader.count(`the element count of ${quote(key)}`, GGUF_SCALAR_BYTES[of]);
  if (of !== "string") return numbersFromBytes(of, reader.bytes(count * GGUF_SCALAR_BYTES[of], what).buffer);
  const value: string[] = [];
  for (let index = 0; index < count; index++) value.push(reader.string(`element ${index} of ${quote(key)}`));
  return { type: "array", of, value };
}

function readValueType(reader: HeaderReader, what: string): (typeof GGUF_VALUE_TYPES)[number] {
  const start = reader.offset;
  const id = reader.u32(`the type of ${what}`);
  const type = GGUF_VALUE_TYPES[id];
  if (type === undefined) throw reader.malformed(`${what} has type ${id}; the format knows 0 to 12`, start);
  return type;
}

function readScalar(reader: HeaderReader, type: GgufScalarType, what: string): GgufValue {
  if (type === "string") return { type, value: reader.string(what) };
  const start = reader.offset;
  const { value } = numbersFromBytes(type, reader.bytes(GGUF_SCALAR_BYTES[type], what).buffer);
  const [scalar] = value;
  switch (type) {
    case "bool":
      if (scalar !== 0 && scalar !== 1) throw reader.malformed(`${what} is ${scalar}, not a boolean`, start);
      return { type, value: scalar === 1 };
    case "u64":
    case "i64":
      return { type, value: BigInt(scalar as bigint) };
    default:
      return { type, value: Number(scalar) };
  }
}

function readAlignment(reader: HeaderReader, metadata: ReadonlyMap<string, GgufValue>): number {
  const value = metadata.get("general.alignment");
  if (value === undefined) return DEFAULT_ALIGNMENT;
  if (value.type !== "u32") throw reader.malformed(`general.alignment is of type ${value.type}, not u32`);
  const alignment = value.value;
  const powerOfTwo = alignment > 0 && Number.isInteger(Math.log2(alignment));
  if (!powerOfTwo) throw reader.malformed(`general.alignment is ${alignment}, not a power of two`);
  return alignment;
}

async function fingerprint(handle: FileHandle, headerBytes: number): Promise<string> {
  const hash = createHash("sha256");
  const buffer = Buffer.allocUnsafe(Math.min(1 << 20, headerBytes));
  for (let position = 0; position < headerBytes; ) {
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, headerBytes - position), position);
    if (bytesRead === 0) break;
    hash.update(buffer.subarray(0, bytesRead));
    position += bytesRead;
  }
  return hash.digest("hex");
}

/** A name from a file, for a message: quoted, and cut at 100 characters. */
function quote(name: string): string {
  return JSON.stringify(name.length > 100 ? `${name.slice(0, 100)}…` : name);
}
